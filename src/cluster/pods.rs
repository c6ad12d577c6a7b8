//! What pods say: their logs, and the events about them and other objects.

use serde_json::Value;

use super::Cluster;
use super::call::{Call, Subject, path, with_query};
use crate::Result;
use crate::object::builtin;

/// A log is not read beyond this, however long its lines are.
const LOG_LIMIT: &str = "1048576";

/// Which object events are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Involved<'a> {
    /// This object and none that had its name before.
    Uid(&'a str),
    /// Whatever has or had this name.
    Name(&'a str),
}

impl Cluster {
    /// The last `tail` lines of a container's log; with `previous`, of the run before the present
    /// one, which is where a crash tells why. At most 1 MiB.
    pub async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
        tail: u32,
    ) -> Result<String> {
        let kind = builtin::pods();
        let url = format!("{}/log", path(&kind, Some(namespace), Some(pod)));
        let tail = tail.to_string();
        let url = with_query(
            &url,
            &[
                ("container", container),
                ("previous", if previous { "true" } else { "" }),
                ("tailLines", &tail),
                ("limitBytes", LOG_LIMIT),
            ],
        );
        let call = Call::get(url, Subject::new("get", &kind, Some(namespace), Some(pod))).text();
        let reply = self.call(&call).await.map_err(|e| self.error(e, &call))?;
        Ok(String::from_utf8_lossy(&reply.text).into_owned())
    }

    /// The events about an object, the oldest first.
    pub async fn events_for(&self, namespace: &str, involved: Involved<'_>) -> Result<Vec<Value>> {
        let kind = builtin::events();
        let selector = match involved {
            Involved::Uid(uid) => format!("involvedObject.uid={uid}"),
            Involved::Name(name) => format!("involvedObject.name={name}"),
        };
        let url = with_query(
            &path(&kind, Some(namespace), None),
            &[("fieldSelector", &selector), ("limit", "500")],
        );
        let call = Call::get(url, Subject::new("list", &kind, Some(namespace), None));
        let mut events = self.list_pages(&kind, &call).await.map_err(|e| self.error(e, &call))?.items;
        events.sort_by_cached_key(last_seen);
        Ok(events)
    }
}

/// Old and new recorders fill different fields; RFC 3339 sorts as text.
fn last_seen(event: &Value) -> String {
    [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["metadata"]["creationTimestamp"],
    ]
    .into_iter()
    .find_map(Value::as_str)
    .unwrap_or_default()
    .to_owned()
}
