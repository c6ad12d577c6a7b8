//! Lists that are only ever added to: what was stored is looked up by an entry of them, so that an entry that
//! is changed or removed takes its data along. Which they are stands in an object's annotation
//! `kubectl-obs.dev/append-only`, by the paths of their values. Pure.

use serde_json::{Map, Value};

use super::{Change, Live, Refusal, Step};
use crate::object::{Object, labels};

/// Why `steps` may not be taken: the first entry that would not be there any more as it was. What may be lost
/// is no reason.
pub fn refusal(steps: &[Step], live: &Live, accept_data_loss: &[String]) -> Option<Refusal> {
    let kept = steps.iter().filter(|step| !accept_data_loss.contains(&step.component));
    kept.filter(|step| matches!(step.change, Change::Update(_) | Change::Adopt(_)))
        .find_map(|step| lost(live.get(&step.object.id())?, &step.object, &step.component))
}

fn lost(live: &Value, object: &Object, component: &str) -> Option<Refusal> {
    let (before, after) = (lists(live), lists(object.value()));
    let (key, index, entry) = before.iter().find_map(|(key, list)| {
        // a bundle that says nothing of a list does not know it
        let wanted = after.get(key)?.as_array()?;
        let mut entries = list.as_array()?.iter().enumerate();
        let (index, entry) = entries.find(|(index, entry)| wanted.get(*index) != Some(entry))?;
        Some((key, index, entry))
    })?;
    let becomes = match after[key].get(index) {
        Some(wanted) => format!("goes from {entry} to {wanted}"),
        None => format!("goes, which was {entry}"),
    };
    let path = format!("{component}.{key}");
    Some(Refusal::new(
        format!("{}: {path}[{index}] {becomes}: what was stored by it could not be found", object.id()),
        format!(
            "leave {path} as it is and add entries at its end; or, to go on without the data: \
             --accept-data-loss {component}"
        ),
    ))
}

fn lists(object: &Value) -> Map<String, Value> {
    let text = object["metadata"]["annotations"][labels::APPEND_ONLY].as_str().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Rules;
    use serde_json::json;

    fn object(annotation: Option<&str>) -> Object {
        let mut value = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "obs-loki-config", "namespace": "o", "annotations": {},
                "labels": {labels::OBS_COMPONENT: "loki"}}});
        if let Some(text) = annotation {
            value["metadata"]["annotations"][labels::APPEND_ONLY] = text.into();
        }
        Object::new(value).unwrap()
    }

    fn said(live: Option<&str>, desired: Option<&str>) -> Option<String> {
        lost(object(live).value(), &object(desired), "loki").map(|refusal| refusal.why)
    }

    #[test]
    fn entries_are_added_and_nothing_else() {
        let list = |entries: &str| format!(r#"{{"schema.periods":[{entries}]}}"#);
        let (none, one, two) = (list(""), list("1"), list("1,2"));
        for (live, desired) in [
            (Some(&*one), Some(&*one)),
            (Some(&one), Some(&two)),
            (Some(&none), Some(&two)),
            // nothing to compare
            (None, Some(&one)),
            (Some(&one), None),
            (Some("no json"), Some(&one)),
            (Some(&one), Some(r#"{"other":[]}"#)),
        ] {
            assert_eq!(said(live, desired), None, "{live:?} {desired:?}");
        }
        for (live, desired, becomes) in [
            (&two, &one, "[1] goes, which was 2"),
            (&two, &none, "[0] goes, which was 1"),
            (&two, &list("1,3"), "[1] goes from 2 to 3"),
            (&two, &list("2,1"), "[0] goes from 1 to 2"),
            (&two, &list("0,1,2"), "[0] goes from 1 to 0"),
        ] {
            let why = said(Some(live), Some(desired)).unwrap();
            let path = "ConfigMap o/obs-loki-config: loki.schema.periods";
            assert_eq!(why, format!("{path}{becomes}: what was stored by it could not be found"));
        }
    }

    #[test]
    fn a_plan_is_refused_unless_the_data_may_be_lost() {
        let (live, desired) = (object(Some(r#"{"a":[1]}"#)), object(Some(r#"{"a":[]}"#)));
        let live = Live::from([(live.id(), live.value().clone())]);
        let plan = super::super::plan(&[desired], &live, &[], &Rules { adopt: true, ..Rules::default() });
        assert!(plan.steps[0].change.writes(), "{:?}", plan.steps[0].change);
        let hints = |accept: &[String]| refusal(&plan.steps, &live, accept).map(|refusal| refusal.hints);
        assert_eq!(hints(&["loki".to_owned()]), None);
        assert_eq!(
            hints(&["grafana".to_owned()]).unwrap(),
            ["leave loki.a as it is and add entries at its end; or, to go on without the data: \
              --accept-data-loss loki"]
        );
    }
}
