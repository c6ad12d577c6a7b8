//! The kinds that the tool itself works with, which every cluster serves: no discovery is needed.

use super::Kind;

/// `v1` Pod
pub fn pods() -> Kind {
    Kind::namespaced("", "Pod", "pods")
}

/// `v1` Service
pub fn services() -> Kind {
    Kind::namespaced("", "Service", "services")
}

/// `v1` Event: those of `events.k8s.io` are the same objects.
pub fn events() -> Kind {
    Kind::namespaced("", "Event", "events")
}

/// `v1` PersistentVolumeClaim
pub fn claims() -> Kind {
    Kind::namespaced("", "PersistentVolumeClaim", "persistentvolumeclaims")
}

/// `v1` Secret
pub fn secrets() -> Kind {
    Kind::namespaced("", "Secret", "secrets")
}

/// `v1` ConfigMap
pub fn config_maps() -> Kind {
    Kind::namespaced("", "ConfigMap", "configmaps")
}

/// `v1` Node
pub fn nodes() -> Kind {
    Kind::cluster_scoped("", "Node", "nodes")
}

/// `v1` Namespace
pub fn namespaces() -> Kind {
    Kind::cluster_scoped("", "Namespace", "namespaces")
}

/// `coordination.k8s.io/v1` Lease
pub fn leases() -> Kind {
    Kind::namespaced("coordination.k8s.io", "Lease", "leases")
}
