//! Sources and the `bundle` commands, on folders.

use std::fs;
use std::path::Path;

use kubectl_obs::bundle::Files;
use kubectl_obs::commands::bundle::{self, PackageOptions, ShowOptions};
use kubectl_obs::commands::template::{TemplateOptions, template};
use kubectl_obs::ops::source::open;

use super::{component, edit, facts, umbrella};

fn write(root: &Path, files: &Files) {
    for (path, content) in files {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }
}

/// The umbrella with its components as siblings.
fn siblings(root: &Path) -> String {
    for (path, content) in umbrella() {
        let path = match path.strip_prefix("components/") {
            Some(path) => path.to_owned(),
            None => format!("shop/{path}"),
        };
        write(root, &Files::from([(path, content)]));
    }
    root.join("shop").display().to_string()
}

fn output(run: impl FnOnce(&mut dyn std::io::Write) -> kubectl_obs::Result<()>) -> String {
    let mut out = Vec::new();
    let result = run(&mut out);
    let error = result.err().map(|e| format!("error: {e}\n")).unwrap_or_default();
    String::from_utf8(out).unwrap() + &error
}

#[test]
fn siblings_components_inside_and_packages_are_the_same_bundle() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let reference = siblings(a.path());
    write(b.path(), &umbrella());
    let first = open(&reference).unwrap();
    assert_eq!(first.files, umbrella());
    assert!(!first.trusted);
    assert_eq!(open(&b.path().display().to_string()).unwrap().digest, first.digest);

    let options = PackageOptions { reference, destination: Some(b.path().to_owned()) };
    let path = b.path().join("shop-2.0.0.tgz");
    assert_eq!(
        output(|out| bundle::package(&options, out)),
        format!("{}\n{}\n", path.display(), first.digest)
    );
    let packed = open(&path.display().to_string()).unwrap();
    assert_eq!((packed.files, packed.digest), (first.files, first.digest));
}

#[test]
fn leftovers_are_ignored_and_modes_and_times_do_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &component());
    let reference = dir.path().display().to_string();
    let before = open(&reference).unwrap().digest;
    for leftover in
        ["values.yaml~", ".git/config", "templates/.x.yaml.swp", "#values.yaml#", "templates/x.orig"]
    {
        write(dir.path(), &Files::from([(leftover.to_owned(), b"x".to_vec())]));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(dir.path().join("values.yaml"), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let file = fs::File::options().write(true).open(dir.path().join("values.yaml")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(open(&reference).unwrap().digest, before);
}

#[cfg(unix)]
#[test]
fn links_stay_within_the_bundle() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("web");
    write(&root, &component());
    let message = || {
        open(&root.display().to_string())
            .unwrap_err()
            .to_string()
            .replace(&dir.path().canonicalize().unwrap().display().to_string(), "…")
    };
    symlink("config.yaml", root.join("templates/copy.yaml")).unwrap();
    assert!(open(&root.display().to_string()).unwrap().files.contains_key("templates/copy.yaml"));
    symlink("/etc/hostname", root.join("files")).unwrap();
    assert!(message().contains("a link that leads out of the bundle, to /etc/hostname"), "{}", message());
    fs::remove_file(root.join("files")).unwrap();
    symlink("..", root.join("templates/up")).unwrap();
    assert!(message().contains("a link to a folder; only links to files are followed"), "{}", message());
}

#[test]
fn references_that_are_none_say_what_is_possible() {
    let rows: Vec<(&str, String)> = [
        "no-such-bundle",
        "http://host/x.tgz",
        "https://user:pw@host/x.tgz",
        "https://host/x.tgz#sha256:abc",
        "ftp://host/x",
        "/dev/null",
    ]
    .into_iter()
    .map(|reference| (reference, open(reference).unwrap_err().to_string().replace(&embedded(), "")))
    .collect();
    super::assert_table("references", &rows);
    assert!(
        open(&tempfile::tempdir().unwrap().path().display().to_string())
            .unwrap_err()
            .message()
            .ends_with("bundle.yaml: not found")
    );
}

/// The list of embedded bundles, which grows.
fn embedded() -> String {
    let names: Vec<&str> = kubectl_obs::bundle::embedded::names().collect();
    if names.is_empty() { String::new() } else { format!("an embedded bundle ({}), ", names.join(", ")) }
}

#[test]
fn show_values_and_template() {
    let dir = tempfile::tempdir().unwrap();
    let reference = siblings(dir.path());
    // the digest is held by another test
    let digest = open(&reference).unwrap().digest.to_string();
    let root = dir.path().canonicalize().unwrap().display().to_string();
    let hide = |text: String| text.replace(&root, "…").replace(&digest, "sha256:…");
    let show = |json| output(|out| bundle::show(&ShowOptions { reference: reference.clone(), json }, out));
    let opened = kubectl_obs::ops::source::Opened { trusted: true, ..open(&reference).unwrap() };
    let loaded = kubectl_obs::bundle::Bundle::load(&opened.files).unwrap();
    let (values, facts) = (loaded.effective_defaults(), facts());
    let options = TemplateOptions { bundle: &opened, values, facts: &facts, show_secrets: false };
    super::assert_table(
        "commands",
        &[
            ("bundle show shop", hide(show(false))),
            ("bundle show shop -o json", hide(show(true))),
            ("bundle values shop", output(|out| bundle::values(&reference, out))),
            ("template shop", output(|out| template(&options, out).map(drop))),
        ],
    );
}

#[test]
fn generated_and_secret_values_do_not_reach_the_screen() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = component();
    edit(&mut files, "bundle.yaml", "appVersion", "generatedSecrets: [{name: a, key: password}]\nappVersion");
    files.insert(
        "templates/s.yaml".to_owned(),
        b"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {p: ${{ values.password }}}\n"
            .to_vec(),
    );
    write(dir.path(), &files);
    let opened = kubectl_obs::ops::source::Opened {
        trusted: true,
        ..open(&dir.path().display().to_string()).unwrap()
    };
    let (values, facts) = (serde_json::json!({"password": "hunter2"}), facts());
    let text = |show_secrets| {
        output(|out| {
            template(&TemplateOptions { bundle: &opened, values: &values, facts: &facts, show_secrets }, out)
                .map(drop)
        })
    };
    let encoded = "aHVudGVyMg==";
    assert!(!text(false).contains("hunter2") && !text(false).contains(encoded));
    assert!(text(true).contains(encoded), "stringData is written as data");
    assert!(text(true).contains("password: GENERATED-AT-INSTALL"));
}

/// A bundle that renders a secret into a ConfigMap, in other forms than its own.
fn leaking(dir: &Path, expression: &str) -> kubectl_obs::ops::source::Opened {
    let mut files = component();
    let schema = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
        "properties": {"password": {"writeOnly": true}}}"#;
    files.insert("values.schema.json".to_owned(), schema.into());
    let map = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  public: seen\n  \
         a: ${{{{ ({expression}) | string }}}}\n  long: ${{{{ \"first\\nkey=\" ~ ({expression}) ~ \" end\\nlast\" }}}}\n"
    );
    files.insert("templates/leak.yaml".to_owned(), map.into_bytes());
    write(dir, &files);
    kubectl_obs::ops::source::Opened { trusted: true, ..open(&dir.display().to_string()).unwrap() }
}

#[test]
fn what_templates_make_of_a_secret_is_secret() {
    let facts = facts();
    for (secret, expression, made) in [
        (serde_json::json!("correct-horse"), "values.password | upper", "CORRECT-HORSE"),
        (serde_json::json!("correct horse"), "values.password | title", "Correct Horse"),
        (serde_json::json!("correct-horse"), "values.password | replace('-', '+')", "correct+horse"),
        (serde_json::json!("correct-horse"), "values.password | reverse", "esroh-tcerroc"),
        (serde_json::json!("correct-horse"), "values.password[2:7]", "rrect"),
        (serde_json::json!(["abc", "def"]), "values.password | join('/')", "abc/def"),
        (serde_json::json!("x\"zebra"), "{'p': values.password} | to_json | to_json | string", "zebra"),
        (serde_json::json!("me:zebra-9"), "values.password | split(':') | last", "zebra-9"),
        (serde_json::json!(73219), "values.password + 1", "73220"),
        (
            serde_json::json!("https://me:zebra9@host/x"),
            "(values.password | split('@'))[0]",
            "https://me:zebra9",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let opened = leaking(dir.path(), expression);
        let values = serde_json::json!({"password": secret});
        let text = |show_secrets| {
            output(|out| {
                template(
                    &TemplateOptions { bundle: &opened, values: &values, facts: &facts, show_secrets },
                    out,
                )
                .map(drop)
            })
        };
        let escaped = made.replace('"', "\\\"");
        assert!(text(true).contains(made) || text(true).contains(&escaped), "{expression}: {}", text(true));
        let masked = text(false);
        assert!(!masked.contains(made) && !masked.contains(&escaped), "{expression}: {masked}");
        assert!(masked.contains("public: seen") && masked.contains("last"), "{expression}: {masked}");
        let loaded = kubectl_obs::bundle::Bundle::load(&opened.files).unwrap();
        let warned = kubectl_obs::bundle::lint::probes(&loaded).iter().any(|probe| {
            let rendered = opened.render_tracing(&probe.values, probe.at(), &facts);
            rendered.is_ok_and(|rendered| !probe.findings(&rendered).is_empty())
        });
        // a probe is a text
        assert!(warned || !secret.is_string(), "{expression}");
    }
}

#[test]
fn what_a_filter_cannot_read_is_not_quoted_where_it_is_made_of_a_secret() {
    let facts = facts();
    let values = serde_json::json!({"password": "newpass-Quux77"});
    for (expression, said) in [
        ("values.password | upper | duration", "is not a duration"),
        ("fail('no: ' ~ (values.password | upper))", "no: "),
        ("fail('no: ' ~ (values.password | sha256)[0:9])", "no: "),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let opened = leaking(dir.path(), expression);
        let error =
            opened.render_tracing(&values, &["/password".to_owned()], &facts).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("********"), "{error}");
        assert!(!error.to_lowercase().contains("quux"), "{error}");
    }
}

#[test]
fn no_name_is_made_of_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = component();
    files.insert(
        "templates/n.yaml".to_owned(),
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${{ \"x-\" ~ (values.password | lower) }}}\n"
            .to_vec(),
    );
    write(dir.path(), &files);
    let opened = kubectl_obs::ops::source::Opened {
        trusted: true,
        ..open(&dir.path().display().to_string()).unwrap()
    };
    let values = serde_json::json!({"password": "Hunter2"});
    let error = opened.render_tracing(&values, &["/password".to_owned()], &facts()).unwrap_err().to_string();
    assert!(
        error
            .contains("templates/n.yaml: the kind, name or namespace of an object is made of a secret value"),
        "{error}"
    );
    assert!(!error.to_lowercase().contains("hunter"), "{error}");
}

#[test]
fn lint_names_file_and_line() {
    let mut files = component();
    edit(
        &mut files,
        "values.yaml",
        "password: hunter2",
        "mode: 0644\nswitch: on\ntext: |\n  a: on\nunused: {a: 1}",
    );
    files.insert(
        "templates/w.yaml".to_owned(),
        b"\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - name: a
    image: nginx:latest
    args: [${{ \"--x=\" ~ true }}]
    env: [{name: x, value: ${{ values.replicas ~ values.switch ~ values.text }}}]
{% if values.replica %}
{% endif %}
"
        .to_vec(),
    );
    let bundle = kubectl_obs::bundle::Bundle::load(&files).unwrap();
    let mut findings = kubectl_obs::bundle::lint::lint(&bundle);
    findings.extend(kubectl_obs::bundle::lint::rendered(&super::rendered(&files).unwrap()));
    let text: String = findings.iter().map(|finding| format!("{finding}\n")).collect();

    files.insert("templates/z.yaml".to_owned(), b"a:\n  b: ${{ x | }}\n".to_vec());
    let broken = kubectl_obs::bundle::lint::lint(&kubectl_obs::bundle::Bundle::load(&files).unwrap());
    let broken: String =
        broken.iter().map(|finding| format!("{finding}\n")).filter(|line| line.contains("z.yaml")).collect();
    super::assert_table("lint", &[("findings", text), ("a template that does not parse", broken)]);
}
