//! Volume claims: they grow where their class allows it, never shrink, and change in no other way.
//! A StatefulSet's templates are about claims to come; those that exist are found by their names,
//! `<template>-<set>-<ordinal>`.

use std::cmp::Ordering;

use serde_json::Value;

use super::fields::{self, Field, defaulted, field, whole};
use super::{Around, Growth, Outcome, cannot_change, group_kind, title};
use crate::diff::compare_quantities;
use crate::object::ObjectId;

const SIZE: &str = "/spec/resources/requests/storage";

/// What is fixed once the claim exists.
const CLAIM: &[Field] = &[
    field("spec.accessModes"),
    field("spec.storageClassName"),
    field("spec.volumeName"),
    defaulted("spec.volumeMode", "Filesystem"),
    whole("spec.selector"),
    whole("spec.dataSource"),
    field("spec.dataSourceRef"),
    field("spec.resources.limits"),
];
const ONCE: [&str; 2] = ["storageClassName", "volumeName"];

/// The class of claims that are older than the field.
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// A claim that is an object of the release.
pub(super) fn judge(desired: &Value, live: &Value, around: &Around) -> Outcome {
    let changed = fixed(desired, live);
    if !changed.is_empty() {
        return Outcome::Refuse {
            why: format!("{}: {}", title(live), cannot_change(&changed)),
            hint: "a claim holds data and is never made anew: leave it as it is, or give the new one \
                   another name"
                .to_owned(),
        };
    }
    let Some(wanted) = desired.pointer(SIZE) else { return Outcome::InPlace };
    match growth(live, wanted, around) {
        Ok(None) => match compare_quantities(wanted, size(live)) {
            Some(Ordering::Less) => shrunk(live, wanted),
            _ => Outcome::InPlace,
        },
        Ok(Some(growth)) => Outcome::Grow(vec![growth]),
        Err(refusal) => refusal,
    }
}

/// The fields that differ and cannot; the size is another matter.
fn fixed(desired: &Value, live: &Value) -> Vec<String> {
    let mut out = fields::differences(desired, live, CLAIM);
    // a class or a volume may be told once
    out.retain(|path| !ONCE.iter().any(|key| path == &format!("spec.{key}") && live["spec"][key].is_null()));
    out
}

/// How a claim gets to the wanted size; None when it is that large already.
pub(super) fn growth(claim: &Value, wanted: &Value, around: &Around) -> Result<Option<Growth>, Outcome> {
    if compare_quantities(wanted, size(claim)) != Some(Ordering::Greater) {
        return Ok(None);
    }
    let (from, to) = (words(size(claim)), words(wanted));
    let refuse = |why: String, hint: String| {
        Err(Outcome::Refuse { why: format!("{} cannot grow from {from} to {to}: {why}", title(claim)), hint })
    };
    if claim["status"]["phase"] == "Pending" {
        let name = claim["metadata"]["name"].as_str().unwrap_or_default();
        let namespace = claim["metadata"]["namespace"].as_str().unwrap_or_default();
        return refuse(
            "it has no volume yet".to_owned(),
            format!(
                "wait until its pod runs; or let it be made anew, it holds no data: kubectl delete pvc {name} -n \
                 {namespace}"
            ),
        );
    }
    let stay = format!("leave the size at {from}");
    let Some(class) = class_name(claim) else {
        return refuse(
            "it has no StorageClass, so nothing can make its volume larger".to_owned(),
            format!("{stay}, or move the data to a larger volume"),
        );
    };
    // nothing known of any class: the server will say
    if !around.classes.is_empty() {
        match around.classes.iter().find(|other| other["metadata"]["name"] == class) {
            None => return refuse(format!("its StorageClass {class} does not exist any more"), stay),
            Some(found) if found["allowVolumeExpansion"] != true => {
                let patch = r#"'{"allowVolumeExpansion": true}'"#;
                return refuse(
                    format!("its StorageClass {class} does not let volumes grow"),
                    format!(
                        "{stay}; or, where the class's driver can do it: kubectl patch storageclass {class} -p \
                         {patch}"
                    ),
                );
            }
            Some(_) => {}
        }
    }
    let uid = claim["metadata"]["uid"].as_str().map(str::to_owned);
    Ok(Some(Growth { claim: ObjectId::of(claim), uid, from, to }))
}

/// The refusal to make a claim smaller.
pub(super) fn shrunk(claim: &Value, wanted: &Value) -> Outcome {
    let (from, to) = (words(size(claim)), words(wanted));
    Outcome::Refuse {
        why: format!("{} has {from} and cannot shrink to {to}: a volume never becomes smaller", title(claim)),
        hint: format!(
            "leave the size at {from}; a rollback goes on without the shrinking with --keep-claim-sizes"
        ),
    }
}

/// The desired object with the sizes that live where those are larger, so that everything else of
/// it can happen: a claim's own, or those of a StatefulSet's templates.
pub fn with_live_sizes(desired: &Value, live: &Value) -> Value {
    let mut out = desired.clone();
    match group_kind(desired) {
        ("", "PersistentVolumeClaim") => keep_size(&mut out, live),
        ("apps", "StatefulSet") => {
            for template in out
                .pointer_mut("/spec/volumeClaimTemplates")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                let present =
                    templates(live).iter().find(|other| template_name(other) == template_name(template));
                if let Some(present) = present {
                    keep_size(template, present);
                }
            }
        }
        _ => {}
    }
    out
}

fn keep_size(desired: &mut Value, live: &Value) {
    if let Some(wanted) = desired.pointer_mut(SIZE)
        && compare_quantities(wanted, size(live)) == Some(Ordering::Less)
    {
        *wanted = size(live).clone();
    }
}

/// A StatefulSet's claim templates.
pub(super) fn templates(set: &Value) -> &[Value] {
    set.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn template_name(template: &Value) -> &str {
    template["metadata"]["name"].as_str().unwrap_or_default()
}

/// The claims that a set made from a template, of pods that are gone too.
pub(super) fn made_from<'a>(
    set: &'a Value,
    template: &'a Value,
    claims: &'a [Value],
) -> impl Iterator<Item = &'a Value> {
    let prefix =
        format!("{}-{}-", template_name(template), set["metadata"]["name"].as_str().unwrap_or_default());
    claims.iter().filter(move |claim| {
        let name = claim["metadata"]["name"].as_str().unwrap_or_default();
        let ordinal = name.strip_prefix(&prefix).unwrap_or_default();
        claim["metadata"]["namespace"] == set["metadata"]["namespace"]
            && !ordinal.is_empty()
            && ordinal.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The size that a claim or a template asks for.
pub(super) fn size(claim: &Value) -> &Value {
    claim.pointer(SIZE).unwrap_or(&Value::Null)
}

fn class_name(claim: &Value) -> Option<&str> {
    let annotated = &claim["metadata"]["annotations"][CLASS_ANNOTATION];
    let class = annotated.as_str().or_else(|| claim["spec"]["storageClassName"].as_str());
    class.filter(|class| !class.is_empty())
}

/// `10Gi`
fn words(quantity: &Value) -> String {
    quantity.as_str().map_or_else(|| quantity.to_string(), str::to_owned)
}
