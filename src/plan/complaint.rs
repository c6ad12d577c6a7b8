//! Which fields a refusal is about: the server names them, and counts the items of lists.

use crate::diff;

/// Does a field stand beside one that the server complains of (`spec.strategy.rollingUpdate`,
/// `spec.volumes[0].configMap`)? Any does when it names none.
pub fn complained_of(complaints: &[String]) -> impl Fn(&diff::Change) -> bool + use<> {
    let complaints: Vec<String> = complaints.iter().map(|field| without_items(field)).collect();
    move |change| {
        let beside = change.steps.split_last().map(|(_, parent)| without_items(&diff::path_text(parent)));
        let beside = beside.unwrap_or_default();
        complaints.is_empty() || complaints.iter().any(|field| field.starts_with(&beside))
    }
}

/// Does the server name just this field among those that it complains of?
pub fn named_in(complaints: &[String]) -> impl Fn(&diff::Change) -> bool + use<> {
    let complaints: Vec<String> = complaints.iter().map(|field| without_items(field)).collect();
    move |change| complaints.contains(&without_items(&change.path))
}

/// `spec.volumes[data].emptyDir` → `spec.volumes[].emptyDir`: the server counts the items of a list.
fn without_items(path: &str) -> String {
    let mut inside = false;
    path.chars()
        .filter(|c| {
            let shown = !inside || *c == ']';
            match c {
                '[' => inside = true,
                ']' => inside = false,
                _ => {}
            }
            shown
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_complaint_is_about_a_field_and_those_beside_it() {
        let item = diff::Step::Item(vec![("name".to_owned(), json!("a"))]);
        let key = |key: &str| diff::Step::Key(key.to_owned());
        let change = |steps: Vec<diff::Step>| diff::Change {
            path: diff::path_text(&steps),
            steps,
            from: None,
            to: None,
            secret: false,
        };
        let strategy = change(vec![key("spec"), key("strategy"), key("rollingUpdate")]);
        let old = change(vec![key("spec"), key("list"), item, key("old")]);
        for (complaint, beside, named) in [
            ("spec.strategy.rollingUpdate", [true, false], [true, false]),
            ("spec.strategy.type", [true, false], [false, false]),
            ("spec.list[0].old", [false, true], [false, true]),
            ("spec.list[3].x", [false, true], [false, false]),
            ("metadata.x", [false, false], [false, false]),
        ] {
            let complaints = [complaint.to_owned()];
            let both = |is: &dyn Fn(&diff::Change) -> bool| [is(&strategy), is(&old)];
            assert_eq!(both(&complained_of(&complaints)), beside, "{complaint}");
            assert_eq!(both(&named_in(&complaints)), named, "{complaint}");
        }
        assert!(complained_of(&[])(&old), "a refusal that names none is about any");
    }
}
