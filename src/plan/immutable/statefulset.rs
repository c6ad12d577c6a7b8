//! StatefulSets: all of their spec is fixed but a few fields, and most changes can be had all the
//! same: the set is deleted without its pods and made anew around them. Two changes cannot: with
//! another selector the pods would belong to nobody, and a pod that runs cannot be given a volume
//! (the controller tries, is refused, and updates nothing from then on). Their pods go with the set;
//! the claims stay.

use std::cmp::Ordering;

use serde_json::Value;

use super::claims::{self, made_from, size, template_name, templates};
use super::fields::{self, Field};
use super::{Around, Growth, Outcome, argument, cannot_change, refuse_unasked, title};
use crate::diff::{self, Scope, compare_quantities};

/// What may change (apps/validation: ValidateStatefulSetUpdate); `revisionHistoryLimit` since 1.33.
const FREE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

/// How the claim templates differ.
#[derive(Default)]
struct Templates {
    /// Claims that grow.
    grow: Vec<Growth>,
    /// Templates that grow, whether or not they have claims: `data from 10Gi to 20Gi`.
    grown: Vec<String>,
    /// Anything else.
    changed: Vec<String>,
    /// Is there one that the pods do not have?
    added: bool,
}

pub(super) fn judge(desired: &Value, live: &Value, around: &Around) -> Outcome {
    let changed = changed_fields(desired, live);
    let Templates { grow, grown, changed: changed_templates, added } =
        match compare_templates(desired, live, around) {
            Ok(found) => found,
            Err(refusal) => return refusal,
        };
    let orphan = !added && !changed.iter().any(|path| path.starts_with("spec.selector"));
    let asked: Vec<String> = changed.into_iter().chain(changed_templates).collect();
    if asked.is_empty() && grown.is_empty() {
        return Outcome::InPlace;
    }
    if asked.is_empty() {
        let why = format!("volumes grow: {}", grown.join(", "));
        return Outcome::Recreate { orphan, grow, why };
    }
    let mut why = cannot_change(&asked);
    if !around.recreate_allowed {
        let cost =
            if orphan { "; its pods and claims stay" } else { "; its pods start again, its claims stay" };
        return refuse_unasked(live, &why, cost);
    }
    // an orphan delete takes the owner off the claims; any other would take them along
    if !orphan && live["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete" {
        return Outcome::Refuse {
            why: format!("{}: {why}, and made anew it would lose its claims", title(live)),
            hint: format!(
                "set persistentVolumeClaimRetentionPolicy.whenDeleted to Retain first, then --recreate {}",
                argument(live)
            ),
        };
    }
    if asked.iter().any(|path| path == "spec.serviceName") {
        why.push_str("; pods get their new DNS names when they restart");
    }
    if !grown.is_empty() {
        why = format!("{why}; volumes grow: {}", grown.join(", "));
    }
    Outcome::Recreate { orphan, grow, why }
}

/// Fixed fields that differ, but for the claim templates.
fn changed_fields(desired: &Value, live: &Value) -> Vec<String> {
    let keys = |set: &Value| -> Vec<String> {
        set["spec"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
    };
    let mut names = keys(desired);
    names.extend(keys(live).into_iter().filter(|key| desired["spec"].get(key).is_none()));
    names.retain(|key| !FREE.contains(&key.as_str()) && key != "volumeClaimTemplates");
    names
        .iter()
        .flat_map(|key| {
            let path = format!("spec.{key}");
            let default = (key == "podManagementPolicy").then_some("OrderedReady");
            fields::difference(desired, live, &Field { path: &path, default, whole: key == "selector" })
        })
        .collect()
}

/// The list is replaced as a whole: what the desired one leaves out differs.
fn compare_templates(desired: &Value, live: &Value, around: &Around) -> Result<Templates, Outcome> {
    let mut out = Templates::default();
    let (wanted, present) = (templates(desired), templates(live));
    let list = Field { path: "spec.volumeClaimTemplates", default: None, whole: false };
    if wanted.is_empty() && fields::difference(desired, live, &list).is_empty() {
        return Ok(out);
    }
    for template in wanted {
        let name = template_name(template);
        let at = format!("spec.volumeClaimTemplates[{name}]");
        let Some(before) = present.iter().find(|other| template_name(other) == name) else {
            out.added = true;
            out.changed.push(at);
            continue;
        };
        let made: Vec<&Value> = made_from(live, before, around.claims).collect();
        let changes = diff::fields(&without_defaults(before), &without_defaults(template), Scope::Exact);
        if let (Some(claim), true) =
            (made.first(), changes.iter().any(|change| change.path.starts_with("spec.")))
        {
            let paths: Vec<String> = changes.into_iter().map(|change| change.path).collect();
            return Err(Outcome::Refuse {
                why: format!("{} exists: {}", title(claim), cannot_change(&paths)),
                hint: format!(
                    "a claim holds data and is never made anew: leave the template {name} as it is"
                ),
            });
        }
        out.changed.extend(changes.into_iter().map(|change| format!("{at}.{}", change.path)));
        match compare_quantities(size(template), size(before)) {
            Some(Ordering::Equal) => {}
            Some(Ordering::Greater) => {
                let (from, to) = (size(before), size(template));
                out.grown.push(format!("{name} from {} to {}", plain(from), plain(to)));
                for claim in made {
                    out.grow.extend(claims::growth(claim, to, around)?);
                }
            }
            Some(Ordering::Less) => {
                let larger =
                    |claim: &&&Value| compare_quantities(size(template), size(claim)) == Some(Ordering::Less);
                if let Some(claim) = made.iter().find(larger) {
                    return Err(claims::shrunk(claim, size(template)));
                }
                out.changed.push(format!("{at}.spec.resources.requests.storage"));
            }
            // not a size: the server will say what is wrong with it
            None => out.changed.push(format!("{at}.spec.resources.requests.storage")),
        }
    }
    let names =
        |list: &[Value]| -> Vec<String> { list.iter().map(|t| template_name(t).to_owned()).collect() };
    let (before, after) = (names(present), names(wanted));
    out.changed.extend(
        before
            .iter()
            .filter(|name| !after.contains(name))
            .map(|name| format!("spec.volumeClaimTemplates[{name}]")),
    );
    if out.changed.is_empty() && before != after {
        out.changed.push("spec.volumeClaimTemplates (their order)".to_owned());
    }
    Ok(out)
}

/// A claim template without its size, which is compared by itself, and with what the server adds.
fn without_defaults(template: &Value) -> Value {
    let mut out = fields::without_empty(template);
    if let Some(requests) = out.pointer_mut("/spec/resources/requests").and_then(Value::as_object_mut) {
        requests.shift_remove("storage");
    }
    let mut out = fields::without_empty(&out);
    if let Some(spec) = out.get_mut("spec").and_then(Value::as_object_mut)
        && spec.get("volumeMode").is_some_and(|mode| mode == "Filesystem")
    {
        spec.shift_remove("volumeMode");
    }
    out
}

fn plain(quantity: &Value) -> String {
    quantity.as_str().map_or_else(|| quantity.to_string(), str::to_owned)
}
