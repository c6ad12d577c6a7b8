//! Exit code 5: there is no cluster to talk to.

use super::*;

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: dev
clusters: [{name: dev, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: dev, user: {token: not-a-real-one}}]
contexts: [{name: dev, context: {cluster: dev, user: dev}}]
";

#[test]
fn without_a_kubeconfig() {
    assert_snapshot!(obs("status"), @"
    exit code: 5
    --- stdout
    --- stderr
    error: no kubeconfig found: KUBECONFIG is not set and [home]/.kube/config does not exist
      hint: name one with --kubeconfig FILE; managed clusters write it for you: aws eks update-kubeconfig, gcloud container clusters get-credentials, az aks get-credentials
    ");
}

#[test]
fn the_kubeconfig_that_is_named_is_not_there() {
    assert_snapshot!(obs("status --kubeconfig=config"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: cannot read the kubeconfig config: no such file or directory
    ");
}

#[test]
fn the_server_does_not_answer() {
    let home = Home::new();
    home.write("config", KUBECONFIG);
    assert_snapshot!(home.transcript("status --kubeconfig=config"), @r#"
    exit code: 5
    --- stdout
    --- stderr
    error: cannot reach the cluster "dev" at https://127.0.0.1:1: connection refused
      hint: the server is on this machine: is the local cluster (kind, minikube, k3d, …) or the tunnel to it running?
    "#);
}

#[test]
fn install_says_the_same() {
    let home = Home::new();
    home.write("config", KUBECONFIG);
    assert_snapshot!(home.transcript("install --yes --kubeconfig=config"), @r#"
    exit code: 5
    --- stdout
    --- stderr
    error: cannot reach the cluster "dev" at https://127.0.0.1:1: connection refused
      hint: the server is on this machine: is the local cluster (kind, minikube, k3d, …) or the tunnel to it running?
    "#);
}

#[test]
fn the_context_is_not_in_the_kubeconfig() {
    let home = Home::new();
    home.write("config", KUBECONFIG);
    assert_snapshot!(home.transcript("list --kubeconfig=config --context=prod"), @r#"
    exit code: 2
    --- stdout
    --- stderr
    error: the kubeconfig has no context "prod"
      hint: contexts: dev
    "#);
}

#[test]
fn an_authority_that_would_not_be_asked_is_refused() {
    let home = Home::new();
    let authority = rcgen::generate_simple_self_signed(vec!["x".to_owned()]).unwrap().cert.pem();
    home.write("ca.pem", &authority);
    home.write(
        "config",
        &KUBECONFIG.replace(
            "127.0.0.1:1'",
            "127.0.0.1:1', certificate-authority: ca.pem, insecure-skip-tls-verify: true",
        ),
    );
    assert_snapshot!(home.transcript("status --kubeconfig=config"), @r#"
    exit code: 2
    --- stdout
    --- stderr
    error: cluster "dev" has a certificate authority, and insecure-skip-tls-verify, which would ignore it
      hint: leave one of them out: either the server's certificate is checked, or it is not
    "#);
}
