//! What a bundle's schema calls secret is in no output, wherever the templates put it.

use super::*;

const SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"properties":{
    "password":{"type":"string","writeOnly":true,"description":"p"},
    "port":{"type":"string","description":"where"}}}"#;

/// A bundle with one template.
fn bundle(template: &str) -> Home {
    let home = Home::new();
    fs::create_dir_all(home.path().join("b/templates")).expect("make a folder");
    home.write(
        "b/bundle.yaml",
        "{apiVersion: kubectl-obs.dev/v1, kind: Bundle, name: b, version: 1.0.0, appVersion: 1.0.0, description: d}\n",
    );
    home.write("b/values.yaml", "# p\npassword: ''\n# where\nport: x\n");
    home.write("b/values.schema.json", SCHEMA);
    home.write("b/templates/all.yaml", template);
    home
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${{ name }}}\n";

#[test]
fn errors_of_filters_do_not_quote_it() {
    for expression in [
        "values.password | int",
        "values.password | float",
        "values.password | quantity",
        "values.password | duration",
        "fail('the password ' ~ values.password ~ ' is too short')",
        "values.password + 1",
        "[1][values.password]",
        "values[values.password].x",
        "values.password | nosuch",
        "values.password | replace",
        "{} | merge(values.password)",
        "range(values.password)",
        "dict(values.password)",
        "values.password()",
    ] {
        let home = bundle(&format!("{MAP}data: {{x: ${{{{ {expression} }}}}}}\n"));
        for verb in ["template b", "install b --server https://127.0.0.1:1"] {
            let output = home.run(&format!("{verb} --set password=hunter2"));
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(output.code != 0 && !said.contains("hunter2"), "{expression}: {output}");
        }
    }
}

#[test]
fn a_template_shows_lines_without_it() {
    let home = bundle(&format!(
        "{MAP}data:\n  file: ${{{{ \"port: \" ~ values.port ~ \"\\npassword: \" ~ values.password ~ \"\\n\" }}}}\n"
    ));
    assert_snapshot!(home.transcript("template b --set password=hunter2,port=hi"), @r#"
    exit code: 0
    --- stdout
    ---
    # Source: namespace
    apiVersion: v1
    kind: Namespace
    metadata:
      name: observability
      labels:
        pod-security.kubernetes.io/enforce: restricted
        pod-security.kubernetes.io/audit: restricted
        pod-security.kubernetes.io/warn: restricted
        app.kubernetes.io/name: b
        app.kubernetes.io/instance: obs
        app.kubernetes.io/component: namespace
        app.kubernetes.io/version: "1.0.0"
        app.kubernetes.io/managed-by: kubectl-obs
        kubectl-obs.dev/release: obs
        kubectl-obs.dev/release-namespace: observability
        kubectl-obs.dev/component: namespace
    ---
    # Source: b/templates/all.yaml
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: obs-b
      namespace: observability
      labels:
        app.kubernetes.io/name: b
        app.kubernetes.io/instance: obs
        app.kubernetes.io/component: b
        app.kubernetes.io/version: "1.0.0"
        app.kubernetes.io/managed-by: kubectl-obs
        kubectl-obs.dev/release: obs
        kubectl-obs.dev/release-namespace: observability
        kubectl-obs.dev/component: b
    data:
      file: |
        port: hi
        ********
    --- stderr
    ! 1 secret value masked: to apply this output, print it with --show-secrets
    "#);
}

#[test]
fn lint_names_where_it_does_not_belong() {
    let home = bundle(&format!(
        "{MAP}data: {{x: ${{{{ 'p=' ~ values.password }}}}}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: ${{{{ name }}}}}}\n\
         stringData: {{x: ${{{{ values.password }}}}, port: ${{{{ values.port }}}}}}\n"
    ));
    assert_snapshot!(home.transcript("bundle lint b"), @"
    exit code: 0
    --- stdout
    b/NOTES.txt: warning: is missing: it tells people what to do after the install
    b/bundle.yaml: warning: there is no kubeVersion: say with which versions of Kubernetes it works
    b/templates/all.yaml: warning: ConfigMap obs-b: data.x holds password, which the schema calls secret: put it into a Secret, and name that
    --- stderr
    ");
}
