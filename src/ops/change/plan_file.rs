//! A plan in a file: made by `upgrade --plan-out`, reviewed by people, and carried out by
//! `upgrade --plan` only if planning again from the same inputs gives the same plan. The file holds
//! digests, the plan's hash and its masked text; what is secret goes into the hash by HMAC with the
//! release's key, which only the cluster has.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use super::{Look, Preview};
use crate::diff;
use crate::error::{Error, Result};
use crate::plan::Change;
use crate::release::codec::hex;
use crate::release::{BundleRef, Revision};

/// The format that this version writes.
const FORMAT: u32 = 1;
/// Lines of a difference between two plans; more say nothing more.
const MOST_LINES: usize = 40;

/// A plan for later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanFile {
    /// `kubectl-obs.dev/v1`
    pub api_version: String,
    /// `Plan`
    pub kind: String,
    /// 1
    pub format: u32,
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision that it builds on.
    pub expected_revision: Revision,
    /// The bundle.
    pub bundle: Bundle,
    /// Keyed hash over the user's values.
    pub values: String,
    /// Keyed hash over objects, actions and fields.
    pub hash: String,
    /// What a person reads: nothing secret.
    pub text: Vec<String>,
}

/// Which bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Digest of its archive.
    pub digest: String,
}

impl From<&BundleRef> for Bundle {
    fn from(bundle: &BundleRef) -> Self {
        Self { name: bundle.name.clone(), version: bundle.version.clone(), digest: bundle.digest.clone() }
    }
}

impl PlanFile {
    /// Of what was planned. Needs a release: before the first revision there is no key.
    pub fn of(look: &Look) -> Result<Self> {
        let (Some(header), Some(key)) = (look.seen.history.latest(), &look.seen.key) else {
            return Err(Error::usage("a plan file builds on a release, and there is none yet")
                .hint("kubectl obs install --dry-run=server shows what an install would do"));
        };
        Ok(Self {
            api_version: "kubectl-obs.dev/v1".into(),
            kind: "Plan".into(),
            format: FORMAT,
            release: header.release.clone(),
            namespace: header.namespace.clone(),
            expected_revision: header.revision,
            bundle: Bundle::from(&look.goal.bundle),
            values: keyed(key, &look.goal.values.to_string()),
            hash: keyed(key, &canonical(look)),
            text: text(look),
        })
    }

    /// Reads a file's content.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|_| "it is no plan of kubectl obs".to_owned())?;
        if value["kind"] != "Plan" {
            return Err("it is no plan of kubectl obs".to_owned());
        }
        match value["format"].as_u64() {
            Some(format) if format > u64::from(FORMAT) => {
                return Err(format!(
                    "it has format {format}, this version of kubectl-obs reads up to {FORMAT}"
                ));
            }
            _ => {}
        }
        serde_json::from_value(value).map_err(|error| format!("it is damaged ({error})"))
    }

    /// Is what would be done now what was planned then? The error shows the difference.
    pub fn fits(&self, look: &Look) -> Result<()> {
        let now = Self::of(look)?;
        let refuse = |why: String| {
            Error::failed(format!("the plan is not carried out: {why}"))
                .hint("make a new one with --plan-out, and look at it again")
        };
        if (&self.release, &self.namespace) != (&now.release, &now.namespace) {
            return Err(refuse(format!(
                "it is for release {} in namespace {}",
                self.release, self.namespace
            )));
        }
        if self.bundle != now.bundle {
            let title = |bundle: &Bundle| format!("{} {} ({})", bundle.name, bundle.version, bundle.digest);
            return Err(refuse(format!(
                "it was made with {}, not {}",
                title(&self.bundle),
                title(&now.bundle)
            )));
        }
        if self.values != now.values {
            return Err(refuse("it was made with other values".to_owned())
                .hint("give --plan the same -f and --set flags as --plan-out"));
        }
        if self.expected_revision != now.expected_revision {
            return Err(refuse(format!(
                "it builds on revision {}, and the newest is {}",
                self.expected_revision, now.expected_revision
            )));
        }
        if self.hash != now.hash {
            let mut error =
                refuse("the cluster has changed, and the same command would do something else".into());
            let lines = diff::text_difference(&self.text, &now.text);
            for line in lines.iter().take(MOST_LINES) {
                error = error.detail(line.clone());
            }
            if lines.is_empty() {
                error = error.detail("what differs is secret");
            }
            return Err(error);
        }
        Ok(())
    }
}

/// What the hash is over: what happens to which object, in the order of the objects; not the
/// status of anything.
fn canonical(look: &Look) -> String {
    let mut lines: Vec<String> = Vec::new();
    for step in &look.plan.steps {
        let action = match &step.change {
            Change::Create => "create",
            Change::Update(_) => "update",
            Change::Adopt(_) => "adopt",
            Change::Recreate { .. } => "recreate",
            Change::Foreign(_) => "foreign",
            Change::Unchanged => "unchanged",
            Change::Use => "use",
        };
        let mut line = format!("{action} {} {}", step.object.id(), step.object.value());
        for field in step.change.fields() {
            let _ = write!(line, " {} {:?} {:?}", field.path, field.from, field.to);
        }
        // the fields of a Secret are masked
        if step.object.kind() == "Secret" && step.change.writes() {
            let live = look.around.live.get(&step.object.id());
            let _ = write!(line, " {}", live.map_or(&Value::Null, |live| &live["data"]));
        }
        lines.push(line);
    }
    let entries = look
        .plan
        .first
        .iter()
        .chain(&look.plan.prune)
        .map(|e| ("prune", e))
        .chain(look.plan.keep.iter().map(|e| ("keep", e)));
    lines.extend(entries.map(|(action, entry)| format!("{action} {}", entry.id())));
    lines.sort();
    lines.join("\n")
}

fn text(look: &Look) -> Vec<String> {
    let preview = Preview::of(look);
    let lines = diff::render(&preview.entries()).into_iter().map(|line| line.text);
    std::iter::once(preview.headline()).chain(lines).chain([preview.consequences()]).collect()
}

fn keyed(key: &[u8], text: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("every key fits");
    mac.update(text.as_bytes());
    format!("hmac-sha256:{}", hex(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plan_is_said_to_be_none() {
        for (text, why) in [
            ("", "it is no plan of kubectl obs"),
            ("{\"kind\":\"Other\"}", "it is no plan of kubectl obs"),
            (
                "{\"kind\":\"Plan\",\"format\":9}",
                "it has format 9, this version of kubectl-obs reads up to 1",
            ),
        ] {
            assert_eq!(PlanFile::parse(text).unwrap_err(), why, "{text}");
        }
        assert!(
            PlanFile::parse("{\"kind\":\"Plan\",\"format\":1}").unwrap_err().starts_with("it is damaged")
        );
    }
}
