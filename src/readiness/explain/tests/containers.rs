//! Images, crashes and what a container refers to.

use super::*;

#[test]
fn an_image_that_does_not_exist() {
    let pulled = "Failed to pull image \"grafana/grafana:13.0.9\": rpc error: code = NotFound desc = failed to pull and \
                  unpack image \"docker.io/grafana/grafana:13.0.9\": docker.io/grafana/grafana:13.0.9: not found";
    // While the kubelet backs off only the event knows the cause.
    grafana(waiting_for("ImagePullBackOff", "Back-off pulling image \"grafana/grafana:13.0.9\""))
        .event("Pod/obs-grafana-0", "Failed", pulled, 12)
        .event("Pod/obs-grafana-0", "BackOff", "Back-off pulling image \"grafana/grafana:13.0.9\"", 2)
        .says(
            &format!(
                "grafana is not ready: container grafana cannot pull image \"grafana/grafana:13.0.9\": not found\n  \
                 Event (12s ago): {pulled}\n  \
                 hint: set grafana.image.tag, or mirror the image and set global.imageRegistry"
            ),
            "cannot pull grafana/grafana:13.0.9: not found",
            true,
        );
}

#[test]
fn images_that_cannot_be_pulled_for_other_reasons() {
    let cases = [
        (
            "ErrImagePull",
            "pull access denied, repository does not exist or may require authorization",
            "access denied: it does not exist, or needs a pull secret",
            true,
        ),
        (
            "ErrImagePull",
            "failed to do request: Head \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host",
            "the registry's name cannot be resolved",
            false,
        ),
        (
            "ErrImagePull",
            "toomanyrequests: You have reached your pull rate limit",
            "the registry limits the rate of pulls",
            false,
        ),
        ("ErrImagePull", "dial tcp 1.2.3.4:443: i/o timeout", "the registry does not answer", false),
        (
            "ErrImagePull",
            "dial tcp: lookup registry.example on 10.0.0.2:53: read udp 10.0.0.3:41011->10.0.0.2:53: i/o timeout",
            "the node's DNS does not resolve the registry's name",
            false,
        ),
        (
            "ErrImagePull",
            "x509: certificate signed by unknown authority",
            "the registry's certificate is not trusted",
            true,
        ),
        (
            "ErrImagePull",
            "no match for platform in manifest: not found",
            "there is none for this node's platform",
            true,
        ),
        ("ErrImagePull", "rpc error: something: quite new", "quite new", false),
        ("ImagePullBackOff", "Back-off pulling image \"x\"", "the registry did not deliver it", false),
        ("InvalidImageName", "Failed to apply default image tag", "the name is not valid", true),
        (
            "ErrImageNeverPull",
            "Container image is not present",
            "it is not on the node and imagePullPolicy is Never",
            true,
        ),
    ];
    for (reason, message, expected, hopeless) in cases {
        let found = grafana(waiting_for(reason, message)).explain();
        assert_eq!(found.short, format!("cannot pull grafana/grafana:13.0.9: {expected}"));
        assert_eq!((found.cause, found.hopeless), (Cause::Image, hopeless), "{message}");
        assert!(found.hint.is_some(), "{message}");
    }
}

#[test]
fn a_registry_whose_name_does_not_exist_is_given_up_after_a_while() {
    let pulled =
        "Failed to pull image \"grafana/grafana:13.0.9\": dial tcp: lookup registry.example: no such host";
    for (times, hopeless) in [(1, false), (4, false), (5, true)] {
        let mut world = grafana(waiting_for("ImagePullBackOff", "Back-off pulling image")).event(
            "Pod/obs-grafana-0",
            "Failed",
            pulled,
            12,
        );
        world.events[0]["count"] = json!(times);
        let found = world.explain();
        assert_eq!(found.hopeless, hopeless, "{times} times");
        assert!(!found.may_take_time(), "a deadline later would not do");
    }
}

#[test]
fn a_crash_shows_its_last_words() {
    let log: String = (1..=20).map(|i| format!("line {i}\n")).collect();
    let expected: String = (11..=20).map(|i| format!("    line {i}\n")).collect();
    grafana(crashing("Error", 1, 4)).log("obs-grafana-0", "grafana", &log).says(
        &format!(
            "grafana is not ready: container grafana crashes at start (exit code 1, 4 restarts)\n  \
             its last words:\n{expected}  \
             hint: kubectl logs -n observability obs-grafana-0 -c grafana --previous"
        ),
        "crashes (exit code 1, 4 restarts)",
        true,
    );
    // Three times may be waiting for something that comes.
    assert!(!grafana(crashing("Error", 1, 3)).explain().hopeless);
}

#[test]
fn only_the_log_that_tells_something_is_asked_for() {
    let mut other = crashing("Error", 1, 1);
    other["metadata"]["name"] = json!("obs-grafana-1");
    let asked = wanted_log(&[other, crashing("Error", 1, 4)]);
    let expected = LogRequest {
        namespace: "observability".into(),
        pod: "obs-grafana-0".into(),
        container: "grafana".into(),
        previous: true,
    };
    assert_eq!(asked, Some(expected));
    assert_eq!(wanted_log(&[waiting_for("ErrImagePull", "not found")]), None, "nothing ran");
}

#[test]
fn exit_codes_are_explained() {
    for (code, expected) in [
        (127, "crashes (exit code 127: the command does not exist, 1 restart)"),
        (139, "crashes (exit code 139: segmentation fault, 1 restart)"),
        (2, "crashes (exit code 2, 1 restart)"),
    ] {
        assert_eq!(grafana(crashing("Error", code, 1)).explain().short, expected);
    }
}

#[test]
fn out_of_memory() {
    grafana(crashing("OOMKilled", 137, 3)).log("obs-grafana-0", "grafana", "loading\n").says(
        "grafana is not ready: container grafana runs out of memory (limit 128Mi, 3 restarts)\n  \
         kubelet: OOMKilled (exit code 137)\n  \
         its last words:\n    \
         loading\n  \
         hint: raise its memory limit\n        \
         kubectl obs upgrade --set grafana.resources.limits.memory=256Mi",
        "out of memory (3 restarts)",
        false,
    );
}

#[test]
fn a_secret_or_key_that_does_not_exist() {
    let hint = "hint: kubectl obs upgrade makes it again if it belongs to the release; else create it, or correct the value that names it";
    grafana(waiting_for("CreateContainerConfigError", "secret \"obs-grafana-admin\" not found")).says(
        &format!(
            "grafana is not ready: container grafana cannot start: Secret observability/obs-grafana-admin does not exist\n  \
             kubelet: secret \"obs-grafana-admin\" not found\n  {hint}"
        ),
        "Secret observability/obs-grafana-admin does not exist",
        true,
    );
    for (message, expected) in [
        ("configmap \"x\" not found", "ConfigMap observability/x does not exist"),
        (
            "couldn't find key password in Secret observability/admin",
            "Secret observability/admin has no key password",
        ),
        (
            "couldn't find key a.yml in ConfigMap observability/c",
            "ConfigMap observability/c has no key a.yml",
        ),
        (
            "container has runAsNonRoot and image will run as root (pod: \"x\", container: grafana)",
            "its image would run as root",
        ),
    ] {
        let found = grafana(waiting_for("CreateContainerConfigError", message)).explain();
        assert_eq!((found.short.as_str(), found.cause, found.hopeless), (expected, Cause::Config, true));
    }
    let found =
        grafana(waiting_for("CreateContainerConfigError", "failed to sync configmap cache: timed out"))
            .explain();
    assert!(!found.hopeless, "the kubelet tries again");
}

#[test]
fn a_command_that_does_not_exist() {
    let message = "failed to create containerd task: runc create failed: unable to start container process: exec: \
                   \"/bin/x\": stat /bin/x: no such file or directory: unknown";
    let found = grafana(waiting_for("RunContainerError", message)).explain();
    assert_eq!(found.short, "cannot start: there is no /bin/x in its image");
    assert_eq!((found.cause, found.hopeless), (Cause::Start, true));
}
