//! What an update has to leave, where an apply alone would leave something else: what a fresh install
//! would, but for what others own. An apply keeps the server's own defaults for what was desired before
//! (nobody owns them), takes a map that becomes empty away with its fields, and cannot compare with one of
//! another API version. So the outcome is put together from the server's answers, asked about as a JSON
//! patch before anything is written, and written by one: no state in between, which a controller would act on.
//!
//! | answer | what it says |
//! |---|---|
//! | `base` | the live object after an apply, or what is known of that when the server takes none |
//! | `fresh` | the desired object where nothing is yet, and what our entry of managedFields is then |
//! | `before` | what we applied last, where nothing is yet: its defaults are those that may go |

use serde_json::{Map, Value, json};

use super::ownership::{Element, elements, is_applied, is_content, is_hollow, is_stated, owners_at};
use crate::diff::{self, Step};
use crate::values::pointer;

/// The server's answers.
pub struct Answers<'a> {
    /// As it is wanted.
    pub desired: &'a Value,
    /// As it is.
    pub live: &'a Value,
    /// The answer to an apply in place, if it is taken.
    pub after: Option<&'a Value>,
    /// The answer to an apply where nothing is yet.
    pub fresh: &'a Value,
    /// The same of what we applied last.
    pub before: Option<&'a Value>,
    /// Is our entry one of another API version? Then it says little of what is ours.
    pub moved: bool,
}

/// An object as it is to be.
#[derive(Debug, Clone)]
pub struct Outcome {
    base: Value,
    /// What is otherwise than in the base; `from` is what stands there.
    edits: Vec<Edit>,
}

#[derive(Debug, Clone)]
struct Edit {
    change: diff::Change,
    /// May it be left out, where the server insists?
    may_stay: bool,
}

/// Parts of the metadata that an update writes.
const METADATA: [&str; 4] = ["labels", "annotations", "finalizers", "ownerReferences"];

impl Outcome {
    /// From the server's answers.
    pub fn of(answers: &Answers<'_>) -> Self {
        let base = match (answers.moved, answers.after) {
            (false, Some(after)) => after.clone(),
            _ => rebased(answers),
        };
        let mut found = Found { object: &base, edits: Vec::new() };
        let own = elements(answers.fresh);
        for (key, wanted) in answers.desired.as_object().into_iter().flatten() {
            if is_content(key) {
                let at = |object: &'_ Value| object.get(key).cloned().unwrap_or_default();
                let before = answers.before.map(at);
                let fields = own.and_then(|own| own.get(format!("f:{key}")));
                let mut steps = vec![Step::Key(key.clone())];
                found.value(wanted, &at(&base), &at(answers.fresh), before.as_ref(), fields, &mut steps);
            }
        }
        let edits = found.edits;
        Self { base, edits }
    }

    /// Is it what the apply would leave anyway?
    pub fn is_plain(&self) -> bool {
        self.edits.is_empty()
    }

    /// The changes that it makes beside the base.
    pub fn edits(&self) -> impl Iterator<Item = &diff::Change> {
        self.edits.iter().map(|edit| &edit.change)
    }

    /// Leaves out what the server does not let go of: those that it names, or all where it does not say
    /// which. Gives them; none when nothing can be left out.
    pub fn give_in(&mut self, named: impl Fn(&diff::Change) -> bool) -> Vec<diff::Change> {
        let any = self.edits.iter().any(|edit| edit.may_stay && named(&edit.change));
        let edits = std::mem::take(&mut self.edits);
        let stays = |edit: &Edit| edit.may_stay && (!any || named(&edit.change));
        let (stay, rest): (Vec<_>, Vec<_>) = edits.into_iter().partition(stays);
        self.edits = rest;
        stay.into_iter().map(|edit| edit.change).collect()
    }

    /// What makes it of the live object, as a JSON patch.
    pub fn patch(&self, live: &Value) -> Vec<Value> {
        let mut object = self.base.clone();
        // of a list the last ones first: they move when one before them goes
        for edit in self.edits.iter().rev() {
            put(&mut object, &edit.change.steps, edit.change.to.clone());
        }
        let empty = Map::new();
        let map = |object: &Value| object.as_object().cloned().unwrap_or_default();
        let (wanted, there) = (map(&object), live.as_object().unwrap_or(&empty));
        let status =
            |key: &str| key == "status" && (diff::writes_status(&object) || diff::writes_status(live));
        let mut out = parts("", &wanted, there, |key| is_content(key) || status(key));
        let (wanted, there) = (map(&object["metadata"]), map(&live["metadata"]));
        out.extend(parts("/metadata", &wanted, &there, |key| METADATA.contains(&key)));
        // what others write beside it is not in the way
        let maps = out.iter().position(|op| op["path"] == "/metadata/annotations" && op["op"] == "add");
        if let (Some(place), Some(there)) = (maps, there.get("annotations").and_then(Value::as_object)) {
            let wanted = map(&wanted["annotations"]);
            out.splice(place..=place, parts("/metadata/annotations", &wanted, there, |_| true));
        }
        out
    }
}

/// Does this state of the object have what the patch was made for?
pub fn suits(patch: &[Value], planned: &Value, now: &Value) -> bool {
    let paths = patch.iter().filter_map(|op| op["path"].as_str());
    paths.into_iter().all(|path| planned.pointer(path) == now.pointer(path))
}

/// Was the patch carried out under this name of a single write? What only takes away leaves no name.
pub fn has_written(manager: &str, patch: &[Value], now: &Value) -> bool {
    let mut entries = now["metadata"]["managedFields"].as_array().into_iter().flatten();
    let done = |op: &Value| {
        let there = op["path"].as_str().and_then(|path| now.pointer(path));
        match op["op"] == "remove" {
            true => there.is_none(),
            false => there == op.get("value"),
        }
    };
    entries.any(|entry| entry["manager"] == manager) || patch.iter().all(done)
}

/// The parts of a map that differ, as operations of a JSON patch.
fn parts(
    at: &str,
    wanted: &Map<String, Value>,
    there: &Map<String, Value>,
    which: impl Fn(&str) -> bool,
) -> Vec<Value> {
    let put = wanted.iter().filter(|(key, value)| which(key) && there.get(*key) != Some(value));
    let put = put.map(|(key, value)| json!({"op": "add", "path": pointer::join(at, key), "value": value}));
    let gone = there.keys().filter(|key| which(key) && !wanted.contains_key(*key));
    put.chain(gone.map(|key| json!({"op": "remove", "path": pointer::join(at, key)}))).collect()
}

/// The live object with what is desired as the server would have it, and without what we had and want no
/// more. Where our entry is one of another version, all that others do not own counts as ours.
fn rebased(answers: &Answers<'_>) -> Value {
    let Answers { desired, live, fresh, moved, .. } = answers;
    let mut out = (*live).clone();
    let merge = Merge { live, moved: *moved };
    let keys: Vec<String> = [live, fresh]
        .iter()
        .flat_map(|object| object.as_object().into_iter().flat_map(Map::keys))
        .filter(|key| is_content(key) || *key == "status" && diff::writes_status(fresh))
        .cloned()
        .collect();
    let ways = keys.iter().map(|key| vec![Step::Key(key.clone())]);
    let metadata = METADATA.map(|key| vec![Step::Key("metadata".to_owned()), Step::Key(key.to_owned())]);
    for mut way in ways.chain(metadata) {
        let at = |object: &Value| diff::at(object, &way).cloned();
        let merged = merge.part(at(live).as_ref(), at(fresh).as_ref(), at(desired).as_ref(), &mut way);
        put(&mut out, &way, merged);
    }
    // whose what is
    out["metadata"]["managedFields"] = live["metadata"]["managedFields"].clone();
    out
}

struct Merge<'a> {
    live: &'a Value,
    moved: bool,
}

impl Merge<'_> {
    fn part(
        &self,
        there: Option<&Value>,
        fresh: Option<&Value>,
        desired: Option<&Value>,
        steps: &mut Vec<Step>,
    ) -> Option<Value> {
        match (there, fresh) {
            (None, fresh) => fresh.cloned(),
            (Some(there), None) => self.stays(steps).then(|| there.clone()),
            (Some(there), Some(fresh)) if there == fresh => Some(there.clone()),
            (Some(Value::Object(there)), Some(Value::Object(fresh))) => {
                let mut out = Map::new();
                let new = fresh.keys().filter(|key| !there.contains_key(*key));
                for key in there.keys().chain(new) {
                    steps.push(Step::Key(key.clone()));
                    let desired = desired.and_then(|desired| desired.get(key));
                    if let Some(value) = self.part(there.get(key), fresh.get(key), desired, steps) {
                        out.insert(key.clone(), value);
                    }
                    steps.pop();
                }
                Some(Value::Object(out))
            }
            // the server's own choice for the object stays
            (Some(there), Some(fresh)) => {
                let wanted = desired.is_some_and(|desired| !desired.is_null());
                Some(if wanted || !self.stays(steps) { fresh } else { there }.clone())
            }
        }
    }

    /// Does what is live and not in a fresh object stay?
    fn stays(&self, steps: &[Step]) -> bool {
        self.is_others(steps) || !self.moved && !is_applied(self.live, steps)
    }

    fn is_others(&self, steps: &[Step]) -> bool {
        is_others(self.live, steps)
    }
}

fn is_others(object: &Value, steps: &[Step]) -> bool {
    owners_at(object, steps).any(|owner| !owner.is_us())
}

/// The search for what differs from a fresh object without anybody's wanting it.
struct Found<'a> {
    object: &'a Value,
    edits: Vec<Edit>,
}

impl Found<'_> {
    fn edit(&mut self, steps: &[Step], from: Option<&Value>, to: Option<&Value>, may_stay: bool) {
        let (path, steps) = (diff::path_text(steps), steps.to_vec());
        let change = diff::Change { path, steps, from: from.cloned(), to: to.cloned(), secret: false };
        self.edits.push(Edit { change, may_stay });
    }

    fn value(
        &mut self,
        desired: &Value,
        base: &Value,
        fresh: &Value,
        before: Option<&Value>,
        fields: Option<&Value>,
        steps: &mut Vec<Step>,
    ) {
        match (desired, base, fresh) {
            (Value::Null, ..) => {}
            (_, base, fresh) if base == fresh => {}
            // it went with its fields
            (_, Value::Null, fresh) => self.edit(steps, None, Some(fresh), false),
            (Value::Object(desired), Value::Object(base), Value::Object(fresh)) => {
                self.map(desired, base, fresh, before, fields, steps);
            }
            (Value::Array(desired), Value::Array(base), Value::Array(fresh)) => {
                self.list((desired, base, fresh), before, fields, steps);
            }
            // stored otherwise than where nothing was: what was wanted before is still in it
            (_, base, fresh) if before == Some(base) && self.is_nobodys(steps) => {
                self.edit(steps, Some(base), Some(fresh).filter(|fresh| !fresh.is_null()), true);
            }
            _ => {}
        }
    }

    fn map(
        &mut self,
        desired: &Map<String, Value>,
        base: &Map<String, Value>,
        fresh: &Map<String, Value>,
        before: Option<&Value>,
        fields: Option<&Value>,
        steps: &mut Vec<Step>,
    ) {
        for (key, value) in base {
            steps.push(Step::Key(key.clone()));
            let before = before.and_then(|before| before.get(key));
            match (desired.get(key).filter(|wanted| !wanted.is_null()), fresh.get(key)) {
                (Some(wanted), fresh) => {
                    let fields = fields.and_then(|fields| fields.get(format!("f:{key}")));
                    self.value(wanted, value, fresh.unwrap_or(&Value::Null), before, fields, steps);
                }
                (None, fresh) if fresh == Some(value) => {}
                // nobody owns it, and it is a default: for what was wanted before, or for a map that is
                // wanted empty; or a list without items, which nobody can own
                (None, fresh) => {
                    let default = before == Some(value);
                    let hollow = is_hollow(value);
                    if (default || hollow || desired.is_empty())
                        && self.is_nobodys(steps)
                        && !self.is_stated(steps)
                    {
                        self.edit(steps, Some(value), fresh, true);
                    }
                }
            }
            steps.pop();
        }
        let absent = |key: &&String| base.get(*key).is_none_or(Value::is_null);
        for (key, wanted) in desired.iter().filter(|(key, wanted)| absent(key) && !wanted.is_null()) {
            if let Some(fresh) = fresh.get(key).filter(|fresh| !fresh.is_null()) {
                steps.push(Step::Key(key.clone()));
                self.value(wanted, &Value::Null, fresh, None, None, steps);
                steps.pop();
            }
        }
    }

    /// Items that are ours are found by what our entry of managedFields calls them. The others that nobody
    /// owns and a fresh list would not have go, where they are defaults, or no items are wanted.
    fn list(
        &mut self,
        (desired, base, fresh): (&[Value], &[Value], &[Value]),
        before: Option<&Value>,
        fields: Option<&Value>,
        steps: &mut Vec<Step>,
    ) {
        let fields = fields.and_then(Value::as_object);
        if fields.is_some_and(Map::is_empty) {
            // replaced as a whole
            return;
        }
        let (all, new) = (Value::from(base), Value::from(fresh));
        let mut ours = Vec::new();
        for (text, below) in fields.into_iter().flatten() {
            let Some(element) = Element::parse(text) else { continue };
            let found = element
                .find(&all)
                .and_then(|item| all.as_array()?.iter().position(|other| std::ptr::eq(other, item)));
            let Some(index) = found else { continue };
            ours.push(index);
            let wanted = desired.iter().find(|wanted| element.fits(wanted));
            if let (Some(step), Some(wanted), Some(fresh)) = (element.step(), wanted, element.find(&new)) {
                steps.push(step);
                let before = before.and_then(|before| element.find(before));
                self.value(wanted, &base[index], fresh, before, Some(below), steps);
                steps.pop();
            }
        }
        let earlier = before.and_then(Value::as_array);
        for (index, item) in base.iter().enumerate().filter(|(index, _)| !ours.contains(index)) {
            let default = desired.is_empty() || earlier.is_some_and(|earlier| earlier.contains(item));
            steps.push(Step::Index(index));
            if default && !fresh.contains(item) && self.is_nobodys(steps) && !self.is_stated(steps) {
                self.edit(steps, Some(item), None, true);
            }
            steps.pop();
        }
    }

    fn is_nobodys(&self, steps: &[Step]) -> bool {
        !is_others(self.object, steps)
    }

    fn is_stated(&self, steps: &[Step]) -> bool {
        is_stated(self.object, steps)
    }
}

/// Puts a value where the steps lead, or takes away what is there.
fn put(object: &mut Value, steps: &[Step], value: Option<Value>) {
    let Some((last, way)) = steps.split_last() else { return };
    let mut place = object;
    for step in way {
        let Some(next) = step.find_mut(place) else { return };
        place = next;
    }
    match (last, place, value) {
        (Step::Key(key), Value::Object(map), Some(value)) => drop(map.insert(key.clone(), value)),
        (Step::Key(key), Value::Object(map), None) => drop(map.shift_remove(key)),
        (Step::Index(index), Value::Array(items), None) if *index < items.len() => drop(items.remove(*index)),
        (step, place, Some(value)) => {
            if let Some(there) = step.find_mut(place) {
                *there = value;
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(mut object: Value, fields: Value) -> Value {
        object["metadata"]["managedFields"] =
            json!([{"manager": "kubectl-obs", "operation": "Apply", "fieldsV1": {"f:spec": fields}}]);
        object
    }

    fn object(spec: Value) -> Value {
        json!({"kind": "X", "metadata": {}, "spec": spec})
    }

    /// The new spec, or nothing where the patch writes none.
    fn spec(outcome: &Outcome, live: &Value) -> Value {
        outcome.patch(live).first().map(|op| op["value"].clone()).unwrap_or_default()
    }

    #[test]
    fn a_default_for_what_was_wanted_before_goes_unless_the_server_insists() {
        let live = applied(object(json!({"completions": 1, "parallelism": 1, "uid": "a"})), json!({}));
        let after = applied(
            object(json!({"completions": 1, "parallelism": 0, "uid": "a"})),
            json!({"f:parallelism": {}}),
        );
        let fresh = applied(object(json!({"parallelism": 0, "uid": "b"})), json!({"f:parallelism": {}}));
        let before = object(json!({"completions": 1, "parallelism": 1, "uid": "c"}));
        let desired = object(json!({"parallelism": 0}));
        let answers = Answers {
            desired: &desired,
            live: &live,
            after: Some(&after),
            fresh: &fresh,
            before: Some(&before),
            moved: false,
        };
        let mut outcome = Outcome::of(&answers);
        assert_eq!(spec(&outcome, &live), json!({"parallelism": 0, "uid": "a"}), "what was handed out stays");
        let stay = outcome.give_in(|change| change.path == "spec.completions");
        assert_eq!(stay.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(), ["spec.completions"]);
        assert_eq!(spec(&outcome, &live), after["spec"]);
        assert!(outcome.give_in(|_| true).is_empty());
    }

    #[test]
    fn a_map_that_becomes_empty_stays_and_is_as_new() {
        let live = applied(object(json!({"m": {"a": 9, "b": 2}})), json!({"f:m": {"f:a": {}}}));
        // the apply takes the map away, and the schema's default comes
        let after = applied(object(json!({"m": {"x": 5, "b": 2}})), json!({}));
        let fresh = applied(object(json!({"m": {"b": 2}})), json!({"f:m": {}}));
        let desired = object(json!({"m": {}}));
        for after in [after, object(json!({})), json!({"kind": "X", "metadata": {}})] {
            let answers = Answers {
                desired: &desired,
                live: &live,
                after: Some(&after),
                fresh: &fresh,
                before: None,
                moved: false,
            };
            assert_eq!(spec(&Outcome::of(&answers), &live), json!({"m": {"b": 2}}), "{after}");
        }
    }

    #[test]
    fn items_go_that_are_defaults_and_those_of_others_stay() {
        let fields = json!({"f:set": {"v:\"z\"": {}}, "f:list": {"k:{\"k\":\"x\"}": {".": {}, "f:k": {}}}});
        let live = object(json!({"set": ["q", "other"], "list": [{"k": "d"}]}));
        let mut after = applied(
            object(json!({"set": ["q", "other", "z"], "list": [{"k": "d"}, {"k": "x", "v": 1}]})),
            fields.clone(),
        );
        let theirs = json!({"manager": "someone", "operation": "Update", "fieldsV1": {"f:spec": {"f:set": {"v:\"other\"": {}}}}});
        after["metadata"]["managedFields"].as_array_mut().unwrap().push(theirs);
        let fresh = applied(object(json!({"set": ["z"], "list": [{"k": "x", "v": 1}]})), fields);
        let before = object(json!({"set": ["q", "other"], "list": [{"k": "d"}]}));
        let desired = object(json!({"set": ["z"], "list": [{"k": "x"}]}));
        let answers = Answers {
            desired: &desired,
            live: &live,
            after: Some(&after),
            fresh: &fresh,
            before: Some(&before),
            moved: false,
        };
        let expected = json!({"set": ["other", "z"], "list": [{"k": "x", "v": 1}]});
        assert_eq!(spec(&Outcome::of(&answers), &live), expected);
    }

    #[test]
    fn without_an_answer_in_place_the_live_object_gets_what_is_desired() {
        let live = applied(
            object(json!({"ours": 1, "given": 2, "kept": {"a": 1}, "address": "10.0.0.1", "old": "default"})),
            json!({"f:ours": {}, "f:given": {}, "f:kept": {}}),
        );
        let fresh = object(json!({"given": 7, "kept": {"a": 2}, "address": "10.0.0.9", "new": 3}));
        let desired = object(json!({"kept": {"a": 2}}));
        let before =
            object(json!({"ours": 1, "given": 2, "kept": {"a": 1}, "address": "10.0.0.8", "old": "default"}));
        let mut answers = Answers {
            desired: &desired,
            live: &live,
            after: None,
            fresh: &fresh,
            before: Some(&before),
            moved: false,
        };
        let expected = json!({"given": 7, "kept": {"a": 2}, "address": "10.0.0.1", "new": 3});
        assert_eq!(spec(&Outcome::of(&answers), &live), expected);
        answers.moved = true;
        assert_eq!(spec(&Outcome::of(&answers), &live), fresh["spec"], "of another version all is as new");
    }

    #[test]
    fn a_patch_suits_what_it_was_made_for() {
        let patch = [json!({"op": "add", "path": "/spec", "value": 1})];
        let planned = object(json!({"a": 1}));
        let mut now = planned.clone();
        now["status"] = json!({"x": 1});
        assert!(suits(&patch, &planned, &now));
        assert!(!has_written("kubectl-obs-create-1", &patch, &now));
        now["spec"]["a"] = json!(2);
        assert!(!suits(&patch, &planned, &now));
        now["metadata"]["managedFields"] = json!([{"manager": "kubectl-obs-create-1"}]);
        assert!(has_written("kubectl-obs-create-1", &patch, &now));
        let gone = [json!({"op": "remove", "path": "/spec/b"})];
        assert!(has_written("another", &gone, &now) && !has_written("another", &patch, &now));
    }
}
