//! Values and their schema: `VALUES NUL SCHEMA`. Whatever the schema says, the check ends with an
//! answer, and no secret is in it or in what may be shown.

#![no_main]

use kubectl_obs::values::schema::{check, mask_at, secrets};
use kubectl_obs::values::{Layer, Values};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// What no message has in it by itself: a secret is looked for when it holds this.
const MARKER: &str = "correct-horse";

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((yaml, json)) = text.split_once('\0') else { return };
    let Ok(schema) = serde_json::from_str::<Value>(json) else { return };
    let Ok(layer) = Layer::file("values.yaml", yaml) else { return };
    let (values, _) = Values::builder().user(&layer).build();
    let pointers = secrets(&schema, &values.tree);
    let shown = mask_at(&pointers, &values.tree);
    let told = check(&schema, &values, "bundle x 1.0.0").err().map(|e| e.to_string()).unwrap_or_default();
    for pointer in pointers {
        let Some(Value::String(secret)) = values.tree.pointer(&pointer) else { continue };
        // what stands elsewhere, too, is no secret
        if !secret.contains(MARKER) || yaml.matches(MARKER).count() != 1 || json.contains(MARKER) {
            continue;
        }
        assert!(!shown.to_string().contains(MARKER), "{pointer} is shown");
        assert!(!told.contains(MARKER), "{pointer} is told: {told}");
    }
});
