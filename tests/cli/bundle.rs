//! `bundle`

use super::*;

#[test]
fn images_are_one_per_line() {
    assert_snapshot!(obs("bundle images"), @"
    exit code: 0
    --- stdout
    docker.io/grafana/grafana:13.2.0
    quay.io/prometheus/alertmanager:v0.34.2
    quay.io/prometheus/node-exporter:v1.12.1
    quay.io/prometheus/prometheus:v3.15.0
    registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.20.0
    --- stderr
    ");
}

#[test]
fn show_names_the_components() {
    let output = Home::new().run("bundle show").ok();
    for component in ["prometheus", "kube-state-metrics", "node-exporter"] {
        assert!(output.stdout.contains(component), "{component} is missing\n{output}");
    }
    assert_eq!(output.stderr, "");
}

#[test]
fn the_values_that_are_printed_are_the_defaults() {
    let home = Home::new();
    let values = home.run("bundle values").ok().stdout;
    home.write("values.yaml", &values);
    let with_file = home.run("template -f values.yaml").ok().stdout;
    assert_eq!(with_file, home.run("template").ok().stdout);
}

#[test]
fn a_package_is_the_same_bytes_every_time() {
    let home = Home::new();
    let mut archives = Vec::new();
    for folder in ["one", "two"] {
        fs::create_dir(home.path().join(folder)).expect("make a folder");
        home.run(&format!("bundle package --destination {folder}")).ok();
        archives.push(fs::read(home.path().join(folder).join("stack-1.0.0.tgz")).expect("the archive"));
    }
    assert!(archives[0] == archives[1], "two packages of one bundle differ");
}

#[test]
fn a_packaged_bundle_renders_what_the_embedded_one_renders() {
    let home = Home::new();
    home.run("bundle package").ok();
    let packaged = home.run("template ./stack-1.0.0.tgz").ok();
    assert_eq!(packaged.stdout, home.run("template").ok().stdout);
}

#[test]
fn the_embedded_bundles_have_no_lint() {
    for bundle in ["stack", "prometheus", "kube-state-metrics", "node-exporter"] {
        Home::new().run(&format!("bundle lint {bundle}")).ok();
    }
}
