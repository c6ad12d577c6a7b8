//! A mask is no value: what was printed without its secrets is refused where values are read, from
//! whichever flag or file it comes, so that `********` never becomes somebody's password.

use serde_json::Value;

use super::{Origin, Pointer, Source, Values, pointer};
use crate::error::{Error, Result};
use crate::object::MASK;

/// Masks that an error names; more say nothing more.
const MAX_NAMED: usize = 5;

/// Refuses user values that hold a mask. One that a later layer replaced is none any more.
pub fn refuse_masks(values: &Values) -> Result<()> {
    let found = masks(&values.user);
    if found.is_empty() {
        return Ok(());
    }
    let path = |at: &Pointer| pointer::dotted(at, &values.user);
    let mut error = Error::usage(format!(
        "{} holds {MASK}, which stands for a secret that was not printed",
        found.iter().take(MAX_NAMED).map(path).collect::<Vec<_>>().join(", ")
    ));
    let origins: Vec<&Origin> = found.iter().filter_map(|at| values.origin(at)).collect();
    for (at, origin) in found.iter().zip(&origins).take(MAX_NAMED) {
        error = error.detail(format!("{}     {}", path(at), origin.masked()));
    }
    if found.len() > MAX_NAMED {
        error = error.detail(format!("and {} more", found.len() - MAX_NAMED));
    }
    if origins.iter().any(|origin| matches!(origin.source, Source::Previous { .. })) {
        error = error.hint("the release itself recorded it: give the secret anew, with -f or --set-file");
    }
    if origins.iter().any(|origin| !matches!(origin.source, Source::Previous { .. })) {
        error = error
            .hint("kubectl obs get values --show-secrets prints values that can be used again")
            .hint("or leave the key out: an upgrade keeps what the release has");
    }
    Err(error)
}

/// Where `tree` holds a mask instead of a value, or instead of a line of a text. Space around it does not
/// make it a secret: a file ends in a newline.
pub fn masks(tree: &Value) -> Vec<Pointer> {
    let mut found = Vec::new();
    collect(tree, String::new(), &mut found);
    found
}

fn collect(value: &Value, at: Pointer, found: &mut Vec<Pointer>) {
    match value {
        Value::String(text) if text.lines().any(|line| line.trim() == MASK) => found.push(at),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, pointer::join(&at, &index.to_string()), found);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                collect(value, pointer::join(&at, key), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Layer, SetFlag};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mask_is_refused_by_whichever_way_it_comes() {
        let file = || Layer::file("f.yaml", "a: 1\ndb:\n  password: '********'\n").unwrap();
        let flag = |flag, text: &str| {
            Values::builder().set(flag, text, &|_| Ok(format!("{MASK}\n"))).unwrap().build().0
        };
        let previous = Layer::previous(3, json!({"l": [{"p": MASK}]})).unwrap();
        for (values, place) in [
            (Values::builder().user(&file()).build().0, "db.password     f.yaml:3"),
            (flag(SetFlag::Set, "p=********"), "p     --set p=…"),
            (flag(SetFlag::String, "p=********"), "p     --set-string p=…"),
            (flag(SetFlag::Literal, "p=********"), "p     --set-literal p=…"),
            (flag(SetFlag::File, "p=x.txt"), "p     --set-file p=…"),
            (flag(SetFlag::Json, r#"p={"q": ["********"]}"#), "p.q[0]     --set-json p=…"),
            (flag(SetFlag::Json, r#"{"p": "********"}"#), "p     --set-json {…}"),
            (Values::builder().user(&previous).build().0, "l[0].p     values of revision 3"),
        ] {
            let error = refuse_masks(&values).unwrap_err();
            assert!(error.message().ends_with("which stands for a secret that was not printed"), "{error}");
            assert_eq!(error.details(), [place]);
        }
        let replaced =
            Values::builder().user(&file()).set(SetFlag::Set, "db.password=x", &|_| unreachable!());
        refuse_masks(&replaced.unwrap().build().0).unwrap();
    }

    #[test]
    fn stars_within_a_text_are_a_text() {
        assert_eq!(masks(&json!({"a": "***", "b": "x ********", "c": "*********", "d": 8})), [""; 0]);
        assert_eq!(masks(&json!({"a": "port: 1\n  ********\nuser: x"})), ["/a"]);
    }
}
