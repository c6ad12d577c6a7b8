//! Pods that the API server does not let in: policies, quotas, limits, webhooks, and what pods
//! refer to before they exist. None of them runs, so no node is needed.

use std::time::Duration;

use libtest_mimic::Trial;

use super::table::{Leftover, Row, bundle, row, told};
use crate::support::env::{Env, eventually};
use crate::support::trial;
use crate::support::webhook;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial::api("causes::of_refusals_are_told", refusals)]
}

fn refusals(env: &Env) {
    env.make_namespace();
    let _policy = Leftover::of(
        env,
        &["validatingadmissionpolicy", "validatingadmissionpolicybinding", "validatingwebhookconfiguration"],
        &[env.namespace()],
    );
    env.apply(&rules(env));
    for (component, sign) in [
        ("policy", "ValidatingAdmissionPolicy"),
        ("webhook-denies", "denied the request"),
        ("webhook-gone", "failed calling webhook"),
        ("webhook-down", "failed calling webhook"),
    ] {
        in_force(env, component, sign);
    }
    let rows = rows();
    let table = bundle(env, &rows);
    env.obs(["install", &table, "--wait=none", "--timeout=2m"]).run().ok();
    told(env, &rows, Duration::from_secs(60));
    let shown = env.obs(["status"]).run().ok();
    for line in [
        "\n✘ paused is not ready: its rollout is paused\n",
        "\n  hint: kubectl rollout resume deployment -n ",
        "\n! webhook-gone is not ready: admission webhook webhook-gone.example.com does not answer\n    Event (",
    ] {
        assert!(shown.stdout.contains(line), "{line:?} is missing in {shown}");
    }
}

/// Rules of the namespace, each for the components that it names.
fn rules(env: &Env) -> String {
    let webhook = webhook::refuses("images need a signature");
    let gone = "service: {name: nobody, namespace: NAMESPACE}";
    let down = "url: 'https://127.0.0.1:1/'";
    let denies = format!("url: '{}', caBundle: {}", webhook.url, webhook.authority);
    let hooks: String = [("webhook-denies", denies.as_str()), ("webhook-gone", gone), ("webhook-down", down)]
        .map(|(component, client)| HOOK.replace("COMPONENT", component).replace("CLIENT", client))
        .concat();
    format!("{RULES}{hooks}").replace("NAMESPACE", env.namespace())
}

const RULES: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: NAMESPACE, labels: {pod-security.kubernetes.io/enforce: baseline}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: devices, namespace: NAMESPACE}
spec: {hard: {requests.example.com/a: '1', requests.example.com/b: '1'}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: short, namespace: NAMESPACE}
spec: {scopes: [Terminating], hard: {limits.cpu: '4'}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: sizes, namespace: NAMESPACE}
spec:
  limits:
    - {type: Container, max: {ephemeral-storage: 1Gi}, default: {ephemeral-storage: 1Gi}, defaultRequest: {ephemeral-storage: 1Mi}}
    - {type: PersistentVolumeClaim, max: {storage: 16Mi}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NAMESPACE}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}
    objectSelector: {matchLabels: {kubectl-obs.dev/component: policy}}
  validations: [{expression: 'false', message: pods need an owner}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NAMESPACE}
spec: {policyName: NAMESPACE, validationActions: [Deny]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NAMESPACE}
webhooks:
";

const HOOK: &str = "
  - name: COMPONENT.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    timeoutSeconds: 2
    clientConfig: {CLIENT}
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}
    objectSelector: {matchLabels: {kubectl-obs.dev/component: COMPONENT}}
    rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
";

/// Rules take a moment until the API server follows them.
fn in_force(env: &Env, component: &str, sign: &str) {
    let pod = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: probe, labels: {{kubectl-obs.dev/component: {component}}} }}, \
         spec: {{containers: [{{name: main, image: 'x:1'}}]}} }}"
    );
    eventually(Duration::from_secs(30), || {
        let asked = env.kubectl(["create", "--dry-run=server", "--filename=-"]).stdin(&pod).run();
        if asked.stderr.contains(sign) { Ok(()) } else { Err(asked.to_string()) }
    });
}

fn rows() -> Vec<Row> {
    let device = |name: &str, number: u32| {
        format!(
            "{{resources: {{requests: {{example.com/{name}: {number}}}, limits: {{example.com/{name}: {number}}} }} }}"
        )
    };
    vec![
        row("security", "{}")
            .pod("{hostNetwork: true}")
            .is("creation", "PodSecurity \"baseline:latest\" of namespace ")
            .says("host namespaces (hostNetwork=true)", "pod-security.kubernetes.io/enforce=privileged")
            .hopeless(),
        row("account", "{}")
            .pod("{serviceAccountName: nobody}")
            .is("creation", "/nobody does not exist")
            .says("serviceaccount \"nobody\" not found", "kubectl obs upgrade makes it again")
            .hopeless(),
        row("priority", "{}")
            .pod("{priorityClassName: nobody}")
            .is("creation", "PriorityClass nobody does not exist")
            .says("no PriorityClass with name nobody was found", "set another priority.priorityClassName")
            .hopeless(),
        row("runtime", "{}")
            .pod("{runtimeClassName: nobody}")
            .is("creation", "RuntimeClass nobody does not exist")
            .says("RuntimeClass \"nobody\" not found", "do without runtime's runtimeClassName")
            .hopeless(),
        row("quota-full", device("a", 1))
            .of("Deployment", "{replicas: 2}")
            .is("creation", "/devices is used up")
            .says("exceeded quota: devices", "raise the quota, or lower quota-full.resources"),
        row("quota-never", device("b", 2))
            .of("StatefulSet", "")
            .is("creation", "its pods ask for more than ResourceQuota ")
            .says("limited: requests.example.com/b=1", "kubectl describe resourcequota")
            .hopeless(),
        row("quota-wants", "{}")
            .of("Job", "{template: {spec: {restartPolicy: Never, activeDeadlineSeconds: 600}}}")
            .is("creation", "/short wants limits.cpu to be set")
            .says("must specify limits.cpu", "set them in quota-wants.resources")
            .hopeless(),
        row("limit", "{resources: {limits: {ephemeral-storage: 2Gi}}}")
            .is("creation", "a LimitRange of namespace ")
            .says("maximum ephemeral-storage usage per Container is 1Gi", "fit limit.resources to it")
            .hopeless(),
        row("limit-claim", "{}")
            .of(
                "StatefulSet",
                "{volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 32Mi}}, storageClassName: ''}}]}",
            )
            .is("creation", " refuses its volume claims")
            .says("maximum storage usage per PersistentVolumeClaim is 16Mi", "fit limit-claim.storage.size to it")
            .hopeless(),
        row("policy", "{}")
            .is("creation", "ValidatingAdmissionPolicy t")
            .says("pods need an owner", "change what the policy names")
            .hopeless(),
        row("webhook-denies", "{}")
            .is("creation", "admission webhook webhook-denies.example.com refuses its pods")
            .says("images need a signature", "change what it objects to (images need a signature)")
            .hopeless(),
        row("webhook-gone", "{}")
            .is("creation", "admission webhook webhook-gone.example.com does not answer")
            .says("service \"nobody\" not found", "repair the webhook's service"),
        row("webhook-down", "{}")
            .is("creation", "admission webhook webhook-down.example.com does not answer")
            .says("connection refused", "repair the webhook's service"),
        row("paused", "{}")
            .of("Deployment", "{paused: true}")
            .is("rollout", "its rollout is paused")
            .says("has spec.paused", "kubectl rollout resume deployment")
            .hopeless(),
        row("address", "{}")
            .of("Deployment", "{replicas: 0}")
            .beside("{apiVersion: v1, kind: Service, metadata: {name: obs-address}, spec: {type: LoadBalancer, selector: {a: b}, ports: [{port: 80}]}}")
            .is("address", "Service obs-address has no address from a load balancer")
            .says("waits for the load balancer's address", "install a load balancer controller"),
    ]
}
