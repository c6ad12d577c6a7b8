//! Bundles from the outside: hostile archives, bad bundles and templates that misbehave, each with
//! the message that a person reads; and what a good bundle renders to. The messages are in
//! `tests/bundles/*.snap`, to be read in one go.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "bundles/archives.rs"]
mod archives;
#[path = "bundles/bad.rs"]
mod bad;
#[path = "bundles/commands.rs"]
mod commands;
#[path = "bundles/good.rs"]
mod good;
#[path = "bundles/hostile.rs"]
mod hostile;

use kubectl_obs::bundle::{Bundle, Files};
use kubectl_obs::render::{Facts, Rendered, render};

/// Compares a table of (case, outcome) with its snapshot beside the tests.
fn assert_table(name: &str, rows: &[(&str, String)]) {
    let text: String =
        rows.iter().map(|(case, outcome)| format!("# {case}\n{}\n\n", outcome.trim_end())).collect();
    insta::with_settings!({snapshot_path => "bundles", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, text);
    });
}

/// Files from (path, content).
fn files(list: &[(&str, &str)]) -> Files {
    list.iter().map(|(path, content)| ((*path).to_owned(), content.as_bytes().to_vec())).collect()
}

/// A small component that renders.
fn component() -> Files {
    files(&[
        (
            "bundle.yaml",
            "apiVersion: kubectl-obs.dev/v1\nkind: Bundle\nname: web\nversion: 1.0.0\nappVersion: v2.1.0\nkubeVersion: \">=1.30\"\n",
        ),
        ("values.yaml", "replicas: 1\npassword: hunter2\n"),
        (
            "templates/config.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${{ name ~ \"-config\" }}\ndata: {}\n",
        ),
    ])
}

/// An umbrella `shop` with the components `web` and `db` (on the node).
fn umbrella() -> Files {
    let mut all = files(&[
        (
            "bundle.yaml",
            "apiVersion: kubectl-obs.dev/v1\nkind: Bundle\nname: shop\nversion: 2.0.0\ncomponents:\n- name: web\n  version: ^1.0\n  when: values.web.enabled\n  with: ${{ values.web | omit(\"enabled\") }}\n- name: db\n  version: ^1.0\n  when: values.db.enabled\n  needs: [web]\n",
        ),
        ("values.yaml", "web:\n  enabled: true\ndb:\n  enabled: true\n"),
        (
            "values.schema.json",
            "{\"properties\": {\n  \"web\": {\"$ref\": \"bundle:web\", \"properties\": {\"enabled\": {\"type\": \"boolean\"}}}\n}}\n",
        ),
    ]);
    all.extend(component().into_iter().map(|(path, content)| (format!("components/web/{path}"), content)));
    all.extend(files(&[
        (
            "components/db/bundle.yaml",
            "apiVersion: kubectl-obs.dev/v1\nkind: Bundle\nname: db\nversion: 1.2.0\nnodeLevel: true\n",
        ),
        (
            "components/db/templates/config.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${{ name }}}\ndata: {}\n",
        ),
    ]));
    all
}

fn facts() -> Facts {
    Facts::offline("obs", "observability", "observability-node")
}

/// Loads and renders with the defaults.
fn rendered(files: &Files) -> kubectl_obs::Result<Rendered> {
    let bundle = Bundle::load(files)?;
    render(&bundle, bundle.effective_defaults(), &facts())
}

/// Replaces text in one file; the text must be there.
fn edit(files: &mut Files, path: &str, from: &str, to: &str) {
    let text = String::from_utf8(files[path].clone()).unwrap();
    assert!(text.contains(from), "{path} has no {from:?}");
    files.insert(path.to_owned(), text.replacen(from, to, 1).into_bytes());
}
