//! What the doctor looks at: everything that was asked, at one time, with what could not be asked and why.
//! It can be written to a file and judged again elsewhere, so it holds no Secret's content.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The format that this version writes and reads.
pub const FORMAT: u32 = 1;

/// An answer, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Asked<T> {
    /// It answered.
    Answer(T),
    /// It could not be asked, or gave no answer: why.
    Unknown(String),
    /// There is nothing to ask: why.
    Off(String),
}

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self::Unknown("it was not asked".to_owned())
    }
}

impl<T> Asked<T> {
    /// The answer, if there is one.
    pub fn answer(&self) -> Option<&T> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Unknown(_) | Self::Off(_) => None,
        }
    }

    /// Why there is none.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Answer(_) => None,
            Self::Unknown(why) | Self::Off(why) => Some(why),
        }
    }
}

impl<T> From<Result<T, String>> for Asked<T> {
    fn from(result: Result<T, String>) -> Self {
        match result {
            Ok(answer) => Self::Answer(answer),
            Err(why) => Self::Unknown(why),
        }
    }
}

/// Everything at one time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Snapshot {
    /// [`FORMAT`]
    pub format: u32,
    /// When, RFC 3339, by the clock of the machine that asked.
    pub taken_at: String,
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The components that it has.
    pub components: Vec<String>,
    /// The jobs whose targets the stack's health is about.
    pub jobs: Vec<String>,
    /// The version of the API server, as it says it.
    pub version: Asked<String>,
    /// Has the cluster's DNS somebody who answers?
    pub dns: Asked<bool>,
    /// What the caller may not do that the doctor would.
    pub rights: Asked<Vec<String>>,
    /// The namespaces of the release.
    pub namespaces: Asked<Vec<Value>>,
    /// The nodes.
    pub nodes: Asked<Vec<Value>>,
    /// The storage classes.
    pub storage_classes: Asked<Vec<Value>>,
    /// The APIs that other servers add.
    pub api_services: Asked<Vec<Value>>,
    /// Admission webhooks behind Services that have no ready endpoint.
    pub dead_webhooks: Asked<Vec<DeadWebhook>>,
    /// What `kubectl obs status -o json` says.
    pub status: Asked<Value>,
    /// What `kubectl obs drift -o json` says.
    pub drift: Asked<Value>,
    /// Releases of the cluster that have a bundle of the same name: `namespace/release`.
    pub namesakes: Asked<Vec<String>>,
    /// The pods of the release.
    pub pods: Asked<Vec<Value>>,
    /// The volume claims of its namespace.
    pub claims: Asked<Vec<Value>>,
    /// The Services and Ingresses of its namespaces that are part of it.
    pub services: Asked<Vec<Value>>,
    /// Bindings that make accounts of its namespaces administrators of the cluster, in words.
    pub admins: Asked<Vec<String>>,
    /// Each Prometheus.
    pub prometheus: Asked<Vec<Prometheus>>,
    /// The Alertmanagers.
    pub alertmanager: Asked<Alertmanager>,
    /// Grafana.
    pub grafana: Asked<Grafana>,
}

/// A webhook that every request of its kind fails at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadWebhook {
    /// `validatingwebhookconfiguration/name`
    pub configuration: String,
    /// The webhook's own name.
    pub webhook: String,
    /// `namespace/name` of the Service.
    pub service: String,
}

/// One Prometheus.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Prometheus {
    /// Its pod.
    pub pod: String,
    /// `/api/v1/targets?state=active`
    pub targets: Asked<Value>,
    /// `/api/v1/scrape_pools`: every job of its configuration
    pub pools: Asked<Value>,
    /// `/api/v1/rules`
    pub rules: Asked<Value>,
    /// `/api/v1/status/runtimeinfo`
    pub runtime: Asked<Value>,
    /// `/api/v1/alertmanagers`
    pub alertmanagers: Asked<Value>,
    /// `/api/v1/status/flags`: those that let others change it
    pub flags: Asked<Value>,
    /// Seconds by which its clock is ahead of that of the machine that asked.
    pub clock_ahead: Option<f64>,
    /// The answers of the queries of [`super::queries`], by name.
    pub queries: BTreeMap<String, Asked<Value>>,
}

/// The Alertmanagers of a release.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Alertmanager {
    /// `/api/v2/status` of each pod, without the configuration.
    pub replicas: BTreeMap<String, Asked<Value>>,
    /// The names of the receivers that tell somebody.
    pub receivers: Asked<Vec<String>>,
    /// Whom an alert is sent to by its severity, where the route looks at nothing else.
    pub routes: Asked<BTreeMap<String, Vec<String>>>,
    /// `/api/v2/alerts`
    pub alerts: Asked<Vec<Value>>,
    /// `/api/v2/silences`
    pub silences: Asked<Vec<Value>>,
}

/// Grafana.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Grafana {
    /// `/api/health`
    pub health: Asked<Value>,
    /// The status that the login with the password of the Secret gets.
    pub login: Asked<u16>,
    /// Is its password one that everybody knows, or short?
    pub weak_password: Asked<bool>,
    /// What may be done without a login: `nobody`, `viewer` or `admin`.
    pub anonymous: Asked<String>,
    /// `/api/datasources`, without anything secret.
    pub datasources: Asked<Vec<Value>>,
    /// What each says of itself (`/api/datasources/uid/…/health`), by uid.
    pub datasource_health: BTreeMap<String, Asked<Value>>,
    /// The uids of the dashboards that it shows.
    pub dashboards: Asked<Vec<String>>,
    /// The uids of those that the release brings.
    pub expected_dashboards: Vec<String>,
}

impl Snapshot {
    /// Reads what `--save` wrote.
    pub fn read(text: &str) -> Result<Self, String> {
        let snapshot: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match snapshot.format {
            FORMAT => Ok(snapshot),
            0 => Err("it has no format".to_owned()),
            other => Err(format!("its format is {other}; this version reads {FORMAT}")),
        }
    }

    /// Seconds from a time of the cluster to the snapshot.
    pub fn age(&self, time: &Value) -> Option<f64> {
        let now: Timestamp = self.taken_at.parse().ok()?;
        let then: Timestamp = time.as_str()?.parse().ok()?;
        Some(now.duration_since(then).as_secs_f64())
    }

    /// Does the release have this component?
    pub fn has(&self, component: &str) -> bool {
        self.components.iter().any(|known| known == component)
    }

    /// The Prometheus that answers most.
    pub fn first_prometheus(&self) -> Option<&Prometheus> {
        self.prometheus.answer()?.iter().find(|one| one.targets.answer().is_some())
    }

    /// The series that a named query returned; none where it was not answered.
    pub fn series(&self, query: &str) -> Option<&Vec<Value>> {
        self.first_prometheus()?.queries.get(query)?.answer()?["result"].as_array()
    }
}

/// The value of a series of an instant query.
pub fn value(series: &Value) -> Option<f64> {
    series["value"][1].as_str()?.parse().ok()
}

/// A label of a series, a target or an alert.
pub fn label<'v>(of: &'v Value, name: &str) -> &'v str {
    let labels = if of["metric"].is_object() { &of["metric"] } else { &of["labels"] };
    labels[name].as_str().unwrap_or_default()
}
