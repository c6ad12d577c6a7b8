//! Files and flags as kubectl reads them.

use std::path::Path;

use super::*;
use crate::Exit;

const CONFIG: &str = "
apiVersion: v1
kind: Config
current-context: prod
contexts:
- {name: prod, context: {cluster: east, user: alice, namespace: x}}
- {name: broken, context: {cluster: nowhere, user: alice}}
- {name: nobody, context: {cluster: east, user: ghost}}
clusters:
- {name: east, cluster: {server: 'https://10.0.0.1:6443/', certificate-authority: ca.pem}}
users:
- {name: alice, user: {token: t0ps3cret}}
";

fn around(files: &[&Path]) -> Surroundings {
    Surroundings { kubeconfig: Some(std::env::join_paths(files).unwrap()), home: None }
}

fn chosen(options: &ConnectOptions) -> Result<Chosen> {
    choose(&Kubeconfig::from_yaml(CONFIG).unwrap(), options)
}

#[test]
fn missing_files_of_a_list_are_passed_over_and_the_first_wins() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    std::fs::write(&one, CONFIG).unwrap();
    std::fs::write(
        &two,
        CONFIG.replace("10.0.0.1", "10.0.0.2").replace("current-context: prod", "current-context: x"),
    )
    .unwrap();
    let missing = dir.path().join("missing");
    let options = ConnectOptions::default();
    let config = read(&options, &around(&[&missing, &one, &two])).unwrap().unwrap();
    let chosen = choose(&config, &options).unwrap();
    assert_eq!(
        (chosen.target.name.as_str(), chosen.target.server.as_str()),
        ("east", "https://10.0.0.1:6443")
    );
    assert_eq!(chosen.cluster.certificate_authority.as_deref(), dir.path().join("ca.pem").to_str());
    assert!(read(&options, &around(&[&missing])).unwrap().is_none());
}

#[test]
fn a_file_without_end_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let large = dir.path().join("large");
    // it takes no room on the disk
    std::fs::File::create(&large).unwrap().set_len(1 << 30).unwrap();
    for (path, why) in
        [(large.as_path(), "it is larger than 16 MiB"), (Path::new("/dev/zero"), "it is larger than 16 MiB")]
    {
        let told = format!("cannot read the kubeconfig {}: {why}", path.display());
        let named = ConnectOptions { kubeconfig: Some(path.to_owned()), ..ConnectOptions::default() };
        assert_eq!(read(&named, &around(&[])).unwrap_err().message(), told);
        assert_eq!(read(&ConnectOptions::default(), &around(&[path])).unwrap_err().message(), told);
    }
}

#[test]
fn a_broken_file_is_named_with_its_line_and_without_its_content() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config");
    std::fs::write(&path, "apiVersion: v1\nusers: [{name: a, user: {token: t0ps3cret\n  x: }").unwrap();
    let error = read(&ConnectOptions::default(), &around(&[&path])).unwrap_err();
    assert!(
        error.message().starts_with(&format!("the kubeconfig {} is not valid, line ", path.display())),
        "{error}"
    );
    assert!(!error.to_string().contains("t0ps3cret"), "{error}");
}

#[test]
fn flags_override_the_file() {
    let options = ConnectOptions {
        server: Some("https://10.9.9.9".into()),
        token: Some("other".into()),
        as_user: Some("bob".into()),
        as_groups: vec!["ops".into()],
        insecure_skip_tls_verify: true,
        ..ConnectOptions::default()
    };
    let chosen = chosen(&options).unwrap();
    assert_eq!(chosen.target.server, "https://10.9.9.9");
    assert_eq!(chosen.target.name, "east");
    assert_eq!(chosen.cluster.insecure_skip_tls_verify, Some(true));
    let authority = (&chosen.cluster.certificate_authority, &chosen.cluster.certificate_authority_data);
    assert_eq!(authority, (&None, &None), "as with kubectl, what the file trusts does not count then");
    assert_eq!(chosen.user.impersonate.as_deref(), Some("bob"));
    assert_eq!(chosen.user.impersonate_groups, Some(vec!["ops".to_owned()]));
    assert_eq!(chosen.target.credentials, Credentials::Token);
}

#[test]
fn flags_alone_are_enough() {
    let options =
        ConnectOptions { server: Some("https://10.9.9.9:6443".into()), ..ConnectOptions::default() };
    let chosen = choose(&Kubeconfig::default(), &options).unwrap();
    assert_eq!((chosen.target.name.as_str(), chosen.target.context), ("10.9.9.9", None));
}

#[test]
fn what_is_not_defined_is_named() {
    let error = |options: ConnectOptions| chosen(&options).err().unwrap();
    let context = |name: &str| ConnectOptions { context: Some(name.into()), ..ConnectOptions::default() };
    let unknown = error(context("prood"));
    assert_eq!(
        unknown.to_string(),
        "the kubeconfig has no context \"prood\"\n  hint: did you mean \"prod\"? contexts: broken, nobody, prod"
    );
    assert_eq!(unknown.exit(), Exit::Usage);
    let broken = error(context("broken"));
    assert_eq!(
        broken.to_string(),
        "context \"broken\" in the kubeconfig refers to the cluster \"nowhere\", which it does not define\n  \
         hint: clusters: east"
    );
    assert_eq!(broken.exit(), Exit::Unreachable);
    assert_eq!(
        error(context("nobody")).message(),
        "context \"nobody\" in the kubeconfig refers to the user \"ghost\", which it does not define"
    );
    let user = ConnectOptions { user: Some("alic".into()), ..ConnectOptions::default() };
    assert_eq!(
        error(user).to_string(),
        "the kubeconfig has no user \"alic\"\n  hint: did you mean \"alice\"?"
    );
    let none = Kubeconfig::from_yaml(&CONFIG.replace("current-context: prod", "")).unwrap();
    assert_eq!(
        choose(&none, &ConnectOptions::default()).err().unwrap().to_string(),
        "the kubeconfig sets no current context\n  hint: choose one with --context: broken, nobody, prod"
    );
}
