//! The labels and annotations that the tool puts on objects (**lasting**: releases depend on them).

/// Which application: the component's bundle name.
pub const NAME: &str = "app.kubernetes.io/name";
/// Which release.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// The component's role in the stack.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// The application's version; never part of a selector.
pub const VERSION: &str = "app.kubernetes.io/version";
/// Always [`MANAGER`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The release's name.
pub const RELEASE: &str = "kubectl-obs.dev/release";
/// The namespace of the release's records.
pub const RELEASE_NAMESPACE: &str = "kubectl-obs.dev/release-namespace";
/// The component that the object belongs to.
pub const OBS_COMPONENT: &str = "kubectl-obs.dev/component";

/// Value of [`MANAGED_BY`], field manager and user agent.
pub const MANAGER: &str = "kubectl-obs";
/// With a random end the field manager that makes a cluster-scoped object, for one request: against one that
/// another release made meanwhile its apply conflicts, where [`MANAGER`]'s would not.
pub const CREATOR: &str = "kubectl-obs-create-";

/// Annotation on pod templates: hash over the ConfigMaps and Secrets of the same render that the
/// pods use, so that a changed configuration restarts exactly its users.
pub const CONFIG_HASH: &str = "kubectl-obs.dev/config";
/// Annotation on a ConfigMap or Secret whose users reload it by themselves: left out of
/// [`CONFIG_HASH`]. `true`, or [`RELOAD_PROMETHEUS`] where it can be seen that they did.
pub const LIVE_RELOAD: &str = "kubectl-obs.dev/live-reload";
/// Value of [`LIVE_RELOAD`] for what Prometheus reads: a change is verified by its reload metrics and
/// the configuration that it serves.
pub const RELOAD_PROMETHEUS: &str = "prometheus";
/// Annotation on a custom resource: the expression over the live object that says that it is ready.
pub const READY_WHEN: &str = "kubectl-obs.dev/ready-when";
/// Annotation on a custom resource: the expression that says that waiting cannot help.
pub const FAILED_WHEN: &str = "kubectl-obs.dev/failed-when";
/// Annotation on a pod: changed to make the kubelet bring changed ConfigMaps into it at once. Its value is
/// a YAML comment, because a pod may show it to Prometheus as a file of rules.
pub const NUDGE: &str = "kubectl-obs.dev/config-changed";
/// Annotation on an object that decides how long data is kept: JSON, durations and sizes by their names
/// (`{"time": "15d", "size": "8GB"}`). An upgrade that lowers one says what is deleted.
pub const RETENTION: &str = "kubectl-obs.dev/retention";
/// Annotation on an object with lists that are only ever added to, since data is looked up by their entries:
/// JSON, the lists by the paths of their values (`{"schema.periods": […]}`). A plan that changes or removes an
/// entry is refused.
pub const APPEND_ONLY: &str = "kubectl-obs.dev/append-only";
/// Annotation on an object that must never be pruned or uninstalled.
pub const KEEP: &str = "kubectl-obs.dev/keep";
/// Annotation on a Secret with generated values: JSON `[{"key","length","keepWith"}]`. The object
/// holds no value for these keys; they are filled at apply, from the live Secret or made once.
pub const GENERATED: &str = "kubectl-obs.dev/generated";
/// Annotation on a workload with a UI that wants a login: JSON `{"user", "secret", "key", "path", "url"}`,
/// the user's name, where the password is, the path below which the UI is served, and its address, if the
/// values give it one.
pub const LOGIN: &str = "kubectl-obs.dev/login";
/// Annotation on an object of a component that stores logs or fills stores: JSON, a list of stores with name,
/// type, address, and the Secrets with what they want to see. Nothing secret is in it.
pub const LOG_STORES: &str = "kubectl-obs.dev/log-stores";
/// Annotation on a ConfigMap with dashboards: the folder in which Grafana shows them.
pub const DASHBOARD_FOLDER: &str = "kubectl-obs.dev/dashboard-folder";
/// Annotation on a workload that finds dashboards in ConfigMaps: JSON `{"namespaces", "selector"}`, where it
/// looks, and for which labels.
pub const DISCOVERS: &str = "kubectl-obs.dev/discovers-dashboards";
/// Annotation that stands in records for the content of a CustomResourceDefinition.
pub const DIGEST: &str = "kubectl-obs.dev/digest";
/// Annotation with a random value on objects made by POST, to recognise our own request after an
/// unknown outcome.
pub const NONCE: &str = "kubectl-obs.dev/nonce";
/// Label on objects of components that work on the node itself (hostPath, hostNetwork, hostPort).
pub const NODE_LEVEL: &str = "kubectl-obs.dev/node-level";
