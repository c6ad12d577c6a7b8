//! `version`

use super::*;

#[test]
fn of_the_client_needs_no_cluster() {
    assert_snapshot!(obs("version --client"), @"
    exit code: 0
    --- stdout
    kubectl-obs [version]
    --- stderr
    ");
}

#[test]
fn as_json_is_one_document() {
    assert_snapshot!(obs("version --client -o json"), @r#"
    exit code: 0
    --- stdout
    {
      "apiVersion": "kubectl-obs.dev/v1",
      "kind": "Version",
      "client": "[version]",
      "server": null
    }
    --- stderr
    "#);
}
