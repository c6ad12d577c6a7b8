//! JSON pointers (RFC 6901) into values, and the dotted form in which a person reads them.

use std::borrow::Cow;

use serde_json::Value;

use super::Pointer;

/// Most bytes of the pointers to all values of one tree: a key of a megabyte above many values would be
/// copied for each of them. A million values with paths of a hundred characters have room.
pub const MAX_BYTES: usize = 128 << 20;

/// Is there room for a pointer to every value of `tree`?
pub fn fit(tree: &Value) -> bool {
    fn spend(value: &Value, length: usize, left: &mut usize) -> bool {
        match left.checked_sub(length) {
            Some(rest) => *left = rest,
            None => return false,
        }
        match value {
            Value::Array(items) => items.iter().all(|item| spend(item, length + 2, left)),
            Value::Object(map) => map.iter().all(|(key, value)| spend(value, length + 1 + key.len(), left)),
            _ => true,
        }
    }
    spend(tree, 0, &mut MAX_BYTES.clone())
}

/// Appends one key or index.
pub fn push(pointer: &mut Pointer, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

/// `base` with one more key or index.
pub fn join(base: &str, token: &str) -> Pointer {
    let mut pointer = base.to_owned();
    push(&mut pointer, token);
    pointer
}

/// The keys and indexes, unescaped.
pub fn tokens(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(|token| match token.contains('~') {
        true => Cow::Owned(token.replace("~1", "/").replace("~0", "~")),
        false => Cow::Borrowed(token),
    })
}

/// The pointer one level up; None at the top.
pub fn parent(pointer: &str) -> Option<&str> {
    pointer.rfind('/').map(|at| &pointer[..at])
}

/// Where the first value that is this text stands.
pub fn to_text(tree: &Value, text: &str) -> Option<Pointer> {
    match tree {
        Value::String(own) => (own == text).then(Pointer::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| Some(format!("/{index}{}", to_text(item, text)?))),
        Value::Object(map) => {
            map.iter().find_map(|(key, value)| Some(join("", key) + &to_text(value, text)?))
        }
        _ => None,
    }
}

/// As typed after `--set`: `a.b[0].c`, dots in keys escaped. `tree` tells indexes from keys that
/// look like numbers; what does not exist in it counts as a key. The top is `.`.
pub fn dotted(pointer: &str, tree: &Value) -> String {
    dotted_with(pointer, tree, &|_| None)
}

/// The same with other words for some keys: `word` is asked with the pointer to each.
pub(super) fn dotted_with<'w>(pointer: &str, tree: &Value, word: &dyn Fn(&str) -> Option<&'w str>) -> String {
    let mut out = String::new();
    let mut here = Some(tree);
    let mut at = Pointer::new();
    for token in tokens(pointer) {
        push(&mut at, &token);
        match here {
            Some(Value::Array(items)) => {
                out.push_str(&format!("[{token}]"));
                here = token.parse::<usize>().ok().and_then(|i| items.get(i));
            }
            _ => {
                push_dotted(&mut out, word(&at).unwrap_or(&token));
                here = here.and_then(|value| value.get(&*token));
            }
        }
    }
    if out.is_empty() { ".".to_owned() } else { out }
}

/// Appends a key as `--set` needs it, control characters made visible.
pub fn push_dotted(out: &mut String, key: &str) {
    if !out.is_empty() {
        out.push('.');
    }
    for c in key.chars() {
        match c {
            '.' | '[' | '=' | ',' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tokens_undo_join() {
        let pointer = join(&join("", "a/b~c"), "");
        assert_eq!(pointer, "/a~1b~0c/");
        assert_eq!(tokens(&pointer).collect::<Vec<_>>(), ["a/b~c", ""]);
        assert_eq!(parent(&pointer), Some("/a~1b~0c"));
        assert_eq!(parent(""), None);
    }

    #[test]
    fn dotted_is_what_set_takes() {
        let tree = json!({"a": [{"b.c/d": 1}], "e": {"0": 1}});
        for (pointer, dotted_form) in [
            ("", "."),
            ("/a", "a"),
            ("/a/0/b.c~1d", r"a[0].b\.c/d"),
            ("/e/0", "e.0"),
            ("/missing/0", "missing.0"),
            ("/a/7/x", "a[7].x"),
        ] {
            assert_eq!(dotted(pointer, &tree), dotted_form);
        }
    }
}
