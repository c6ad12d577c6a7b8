//! Bundles with mistakes: each message names the file, the line and what to change.

use kubectl_obs::bundle::Files;

use super::{assert_table, component, edit, files, rendered, umbrella};

type Case = (&'static str, fn() -> Files);

fn web(change: fn(&mut Files)) -> Files {
    let mut files = component();
    change(&mut files);
    files
}

fn shop(change: fn(&mut Files)) -> Files {
    let mut files = umbrella();
    change(&mut files);
    files
}

/// The component with another template.
fn template(text: &str) -> Files {
    let mut files = component();
    files.insert("templates/x.yaml".to_owned(), text.as_bytes().to_vec());
    files
}

/// A ConfigMap with a field.
fn config(data: &str) -> Files {
    template(&format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n  a: {data}\n"))
}

const META: &[Case] = &[
    ("no bundle.yaml", || files(&[("values.yaml", "")])),
    ("a Helm chart", || files(&[("Chart.yaml", "name: x")])),
    ("bundle.yaml is not YAML", || web(|f| edit(f, "bundle.yaml", "name: web", "name: [web"))),
    ("bundle.yaml is a list", || files(&[("bundle.yaml", "- a")])),
    ("duplicate key", || web(|f| edit(f, "bundle.yaml", "name: web", "name: web\nname: web2"))),
    ("unknown key", || web(|f| edit(f, "bundle.yaml", "appVersion:", "appVersoin:"))),
    ("unknown key without a neighbour", || web(|f| edit(f, "bundle.yaml", "appVersion:", "maintainers:"))),
    ("unknown key in a component", || shop(|f| edit(f, "bundle.yaml", "  when:", "  whn:"))),
    ("newer format", || web(|f| edit(f, "bundle.yaml", "dev/v1", "dev/v2"))),
    ("name with capitals", || web(|f| edit(f, "bundle.yaml", "name: web", "name: Web"))),
    ("no version", || web(|f| edit(f, "bundle.yaml", "version: 1.0.0\n", ""))),
    ("version is a number", || web(|f| edit(f, "bundle.yaml", "version: 1.0.0", "version: 1.0"))),
    ("version is not semantic", || web(|f| edit(f, "bundle.yaml", "version: 1.0.0", "version: v1"))),
    ("range of Kubernetes", || web(|f| edit(f, "bundle.yaml", ">=1.30", "new"))),
    ("nodeLevel is text", || web(|f| edit(f, "bundle.yaml", "appVersion", "nodeLevel: \"no\"\nappVersion"))),
    ("generated secret without a key", || {
        web(|f| edit(f, "bundle.yaml", "appVersion", "generatedSecrets:\n- name: admin\nappVersion"))
    }),
    ("health without a check", || {
        web(|f| edit(f, "bundle.yaml", "appVersion", "health:\n- name: up\nappVersion"))
    }),
    ("migration with a wrong shape", || {
        web(|f| {
            edit(
                f,
                "bundle.yaml",
                "appVersion",
                "migrations:\n- version: 1.0.0\n  rename: {a: 1}\nappVersion",
            );
        })
    }),
    ("dataFormat is text", || web(|f| edit(f, "bundle.yaml", "appVersion", "dataFormat: new\nappVersion"))),
    ("misspelled folder", || web(|f| drop(f.insert("template/a.yaml".into(), vec![])))),
    ("template with another ending", || web(|f| drop(f.insert("templates/a.tpl".into(), vec![])))),
    ("template that is not text", || web(|f| drop(f.insert("templates/a.yaml".into(), vec![0xff])))),
    ("values are a list", || web(|f| drop(f.insert("values.yaml".into(), b"- a".to_vec())))),
    ("values are not YAML", || web(|f| drop(f.insert("values.yaml".into(), b"a: 1\nb: 'x\n".to_vec())))),
    ("schema is not JSON", || {
        web(|f| drop(f.insert("values.schema.json".into(), b"{\n  \"a\": }\n".to_vec())))
    }),
];

const UMBRELLA: &[Case] = &[
    ("missing component", || shop(|f| f.retain(|path, _| !path.starts_with("components/db/")))),
    ("component that is not listed", || {
        shop(|f| drop(f.insert("components/wbe/bundle.yaml".into(), f["components/web/bundle.yaml"].clone())))
    }),
    ("contains itself", || shop(|f| edit(f, "bundle.yaml", "- name: db", "- name: shop"))),
    ("component listed twice", || shop(|f| edit(f, "bundle.yaml", "- name: db", "- name: web"))),
    ("needs an unknown component", || shop(|f| edit(f, "bundle.yaml", "[web]", "[wep]"))),
    ("needs in a circle", || {
        shop(|f| edit(f, "bundle.yaml", "  version: ^1.0\n", "  version: ^1.0\n  needs: [db]\n"))
    }),
    ("needs itself", || shop(|f| edit(f, "bundle.yaml", "[web]", "[db]"))),
    ("wrong version of a component", || shop(|f| edit(f, "components/db/bundle.yaml", "1.2.0", "2.0.0"))),
    ("component with another name", || {
        shop(|f| edit(f, "components/db/bundle.yaml", "name: db", "name: sql"))
    }),
    ("component with components", || {
        shop(|f| edit(f, "components/db/bundle.yaml", "nodeLevel", "components: [{name: x}]\nnodeLevel"))
    }),
    ("schema of an unknown component", || {
        shop(|f| edit(f, "values.schema.json", "bundle:web", "bundle:wep"))
    }),
    ("schema of a component below a list", || {
        shop(|f| edit(f, "values.schema.json", "\"properties\": {\n", "\"items\": {\n"))
    }),
    ("mistake in a component", || {
        shop(|f| edit(f, "components/web/bundle.yaml", "kubeVersion", "kubeVersoin"))
    }),
    ("when names an unknown value", || {
        shop(|f| edit(f, "bundle.yaml", "values.db.enabled", "values.db.enabeld"))
    }),
    ("when is not an expression", || shop(|f| edit(f, "bundle.yaml", "values.db.enabled", "values.db ="))),
    ("with gives no map", || {
        shop(|f| edit(f, "bundle.yaml", "${{ values.web | omit(\"enabled\") }}", "${{ 1 }}"))
    }),
    ("with names an unknown value", || {
        shop(|f| edit(f, "bundle.yaml", "values.web | omit", "values.wep | omit"))
    }),
    ("health of an unknown component", || {
        shop(|f| {
            edit(
                f,
                "bundle.yaml",
                "components:",
                "health:\n- name: up\n  component: x\n  promql: {query: up}\ncomponents:",
            );
        })
    }),
    ("component for newer clusters", || shop(|f| edit(f, "components/web/bundle.yaml", ">=1.30", ">=1.99"))),
];

const TEMPLATES: &[Case] = &[
    ("syntax error", || config("${{ values.replicas | }}")),
    ("block that is not closed", || config("x\n{% if values.replicas %}")),
    ("unknown filter", || config("${{ values.replicas | quote }}")),
    ("undefined value", || config("${{ values.replica }}")),
    ("undefined value without a neighbour", || config("${{ values.nothing.like.it }}")),
    ("undefined value in a text", || config("${{ \"x\" ~ values.replica }}")),
    ("undefined value in a map", || config("${{ {\"k\": values.replica} }}")),
    ("secret beside an error", || config("${{ values.password ~ values.replica }}")),
    ("secret in a calculation", || config("${{ values.password * values.password }}")),
    ("fail", || config("${{ fail(\"set replicas or autoscaling, not both\") }}")),
    ("not a quantity", || config("${{ \"20GB\" | quantity }}")),
    ("missing file", || {
        web(|f| {
            f.insert("files/dashboards/web.json".into(), b"{}".to_vec());
            f.insert("templates/x.yaml".into(), b"a: ${{ files[\"dashboards/wep.json\"] }}".to_vec());
        })
    }),
    ("error in a macro", || {
        web(|f| {
            f.insert("templates/_m.yaml".into(), b"{% macro m(x) %}\n${{ x.y.z }}\n{% endmacro %}".to_vec());
            f.insert("templates/x.yaml".into(), b"{% import \"_m.yaml\" as m %}\na: ${{ m.m({}) }}".to_vec());
        })
    }),
    ("import of a missing file", || config("x\n{% import \"_x.yaml\" as m %}")),
    ("text beside an expression", || config("${{ name }}-config")),
    ("output is text", || template("hello")),
    ("output is a list", || template("- a")),
    ("second document is no object", || {
        template("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\nkind: x\n")
    }),
    ("second document is not YAML", || {
        template("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\na: b: c\n")
    }),
    ("object without a name", || template("apiVersion: v1\nkind: ConfigMap\n")),
    ("a list of objects", || template("apiVersion: v1\nkind: List\nmetadata: {name: a}\nitems: []\n")),
    ("the same object in two files", || {
        template("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: obs-web-config}\n")
    }),
    ("name with capitals", || template("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A}\n")),
    ("StatefulSet with a long name", || {
        template(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbb}\n",
        )
    }),
    ("Service with a dot", || template("apiVersion: v1\nkind: Service\nmetadata: {name: a.b}\n")),
    ("ClusterRole in a namespace", || {
        template(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a, namespace: b}\n",
        )
    }),
    ("label of the tool", || {
        template(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {app.kubernetes.io/name: other}}\n",
        )
    }),
    ("label that is a boolean", || {
        template("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {x: true}}\n")
    }),
    ("Deployment without a pod template", || {
        template("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n")
    }),
    ("selector with a version", || {
        template(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {selector: {matchLabels: {v: \"1\"}}, template: {}}\n",
        )
    }),
    ("selector of other pods", || {
        template(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  selector: {matchLabels: {app.kubernetes.io/name: x}}\n  template: {}\n",
        )
    }),
    ("version on pods", || {
        template(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  template: {metadata: {labels: {app.kubernetes.io/version: v1}}}\n",
        )
    }),
    ("something else in crds", || {
        web(|f| {
            drop(f.insert(
                "crds/x.yaml".into(),
                b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n".to_vec(),
            ));
        })
    }),
    ("crds that are not YAML", || web(|f| drop(f.insert("crds/x.yaml".into(), b"a: b: c\n".to_vec())))),
    ("global.labels is a list", || {
        web(|f| drop(f.insert("values.yaml".into(), b"global: {labels: [a]}\n".to_vec())))
    }),
    ("export of an unknown value", || {
        web(|f| edit(f, "bundle.yaml", "appVersion", "exports:\n  port: ${{ values.prot }}\nappVersion"))
    }),
    ("generated secret that is too short", || {
        web(|f| {
            edit(
                f,
                "bundle.yaml",
                "appVersion",
                "generatedSecrets:\n- {name: a, key: b, length: 4}\nappVersion",
            );
        })
    }),
    ("health with a wrong port", || {
        web(|f| {
            edit(
                f,
                "bundle.yaml",
                "appVersion",
                "health:\n- name: up\n  http: {path: /, port: \"${{ values.replicas - 1 }}\"}\nappVersion",
            );
        })
    }),
    ("too much work", || {
        config("x\n{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}")
    }),
    ("too much output", || config("x\n{% for i in range(9999) %}{{ i }}# ${{ \"x\" * 1000 }}\n{% endfor %}")),
    ("recursion without end", || config("x\n{% macro m() %}${{ m() }}{% endmacro %}\n  b: ${{ m() }}")),
];

fn outcomes(cases: &[Case]) -> Vec<(&'static str, String)> {
    cases.iter().map(|(case, files)| (*case, rendered(&files()).expect_err(case).to_string())).collect()
}

#[test]
fn mistakes_in_metadata_are_named_with_file_and_line() {
    assert_table("bad_metadata", &outcomes(META));
}

#[test]
fn mistakes_in_umbrellas_are_named_with_file_and_line() {
    assert_table("bad_umbrellas", &outcomes(UMBRELLA));
}

#[test]
fn mistakes_in_templates_are_shown_with_their_line_and_without_values() {
    let rows = outcomes(TEMPLATES);
    for (case, message) in &rows {
        assert!(!message.contains("hunter2"), "{case} shows a secret: {message}");
    }
    assert_table("bad_templates", &rows);
}
