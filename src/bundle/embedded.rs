//! The bundles inside the binary: `build.rs` packs each folder of `charts/` with the same writer
//! that `bundle package` uses, so an embedded bundle is an ordinary archive with a digest.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Names of the embedded bundles, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|(name, _)| *name)
}

/// The archive of an embedded bundle.
pub fn archive(name: &str) -> Option<&'static [u8]> {
    EMBEDDED.iter().find(|(other, _)| *other == name).map(|(_, bytes)| *bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Bundle, archive};

    #[test]
    fn every_embedded_bundle_loads_under_its_name() {
        for name in names() {
            let files = archive::unpack(archive(name).unwrap()).unwrap();
            assert_eq!(Bundle::load(&files).unwrap().name(), name);
        }
    }
}
