//! How much a JSON text becomes when it is read: told from the text, before anything is made of it. A
//! megabyte of `[],[],…` is read as thirty, so that the length of a text bounds nothing.

use serde_json::Value;

/// Reads a JSON text that has at most so many values; None when it has more, or is none.
pub fn read(text: &[u8], most_values: usize) -> Option<Value> {
    (Size::of(text).values <= most_values).then(|| serde_json::from_slice(text).ok())?
}

/// The size of a JSON text. Texts are added piece by piece.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Its length.
    pub bytes: usize,
    /// About how many values it has, each key of a map counting with its value. Never fewer than half.
    pub values: usize,
    in_text: bool,
    escaped: bool,
}

impl Size {
    /// Of a whole text.
    pub fn of(text: &[u8]) -> Self {
        let mut size = Self::default();
        size.add(text);
        size
    }

    /// The next piece.
    pub fn add(&mut self, text: &[u8]) {
        self.bytes += text.len();
        for byte in text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                b'[' | b'{' | b',' if !self.in_text => self.values += 1,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_without_reading_them() {
        for (text, values) in [
            ("1", 0),
            ("[1,2,3]", 3),
            ("[[],[],{}]", 6),
            (r#"{"a":1,"b":[2]}"#, 3),
            (r#"{"a":"x,[{\",[{\\","b":2}"#, 2),
        ] {
            assert_eq!(Size::of(text.as_bytes()).values, values, "{text}");
            assert!(read(text.as_bytes(), values).is_some(), "{text}");
            assert!(values == 0 || read(text.as_bytes(), values - 1).is_none(), "{text}");
            let mut pieces = Size::default();
            text.as_bytes().iter().for_each(|byte| pieces.add(&[*byte]));
            assert_eq!(pieces, Size::of(text.as_bytes()), "{text}");
        }
    }
}
