//! Where a bundle renders what its schema calls secret (`writeOnly`): anywhere but in the data of a Secret
//! everybody who may read the object reads it. Found by rendering with texts that stand nowhere else.

use serde_json::Value;

use super::{Finding, Severity};
use crate::bundle::Bundle;
use crate::object::Object;
use crate::render::Rendered;
use crate::values::{Pointer, Traces, pointer, schema};

/// A secret value of a bundle, and values in which it can be found.
pub struct Probe {
    at: Pointer,
    /// The defaults with the text in the secret's place.
    pub values: Value,
    traces: Traces,
}

/// One for each secret value that is a text or is not set.
pub fn probes(bundle: &Bundle) -> Vec<Probe> {
    let Some(schema) = bundle.effective_schema() else { return Vec::new() };
    let defaults = bundle.effective_defaults();
    let probe = |(number, at): (usize, Pointer)| {
        let mut values = defaults.clone();
        let place = values.pointer_mut(&at).filter(|value| value.is_string() || value.is_null())?;
        *place = Value::from(format!("lint-probe-{number}-6f1c9a52"));
        let traces = Traces::of(&values, std::slice::from_ref(&at));
        Some(Probe { at, values, traces })
    };
    schema::places(schema, defaults).into_iter().enumerate().filter_map(probe).collect()
}

impl Probe {
    /// Where the secret is in the values.
    pub fn at(&self) -> &[Pointer] {
        std::slice::from_ref(&self.at)
    }

    /// Findings about a rendering with its values.
    pub fn findings(&self, rendered: &Rendered) -> Vec<Finding> {
        let mut out = Vec::new();
        let traces = self.traces.clone().and_derived(&rendered.derived);
        for (object, source) in rendered.objects.iter().zip(&rendered.sources) {
            let places = traces.places(object.value());
            let Some(place) = places.iter().find(|place| !is_kept(object, place)) else { continue };
            let message = format!(
                "{} {}: {} holds {}, which the schema calls secret: put it into a Secret, and name that",
                object.kind(),
                object.name(),
                pointer::dotted(place, object.value()),
                pointer::dotted(&self.at, &self.values)
            );
            out.push(Finding { file: source.clone(), line: None, severity: Severity::Warning, message });
        }
        out
    }
}

/// Is it a value of a Secret?
fn is_kept(object: &Object, place: &str) -> bool {
    object.kind() == "Secret" && ["/data/", "/stringData/"].iter().any(|field| place.starts_with(field))
}
