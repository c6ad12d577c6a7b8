//! Image references: `[registry[:port]/]name[:tag][@digest]`.

/// What an image reference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image<'t> {
    /// With the registry, without tag and digest: `quay.io/prometheus/node-exporter`.
    pub repository: &'t str,
    /// What stands behind the colon, if there is one.
    pub tag: Option<&'t str>,
    /// What stands behind the at sign, if there is one.
    pub digest: Option<&'t str>,
}

impl<'t> Image<'t> {
    /// Takes it apart; whether the parts are good ones is another question.
    pub fn parse(reference: &'t str) -> Self {
        let (name, digest) = match reference.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (reference, None),
        };
        // a colon before the last slash belongs to the registry's port
        let last = name.rfind('/').map_or(0, |at| at + 1);
        match name[last..].find(':').map(|at| at + last) {
            Some(colon) => Self { repository: &name[..colon], tag: Some(&name[colon + 1..]), digest },
            None => Self { repository: name, tag: None, digest },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        for (reference, repository, tag, digest) in [
            ("busybox", "busybox", None, None),
            ("localhost:5000/node", "localhost:5000/node", None, None),
            ("localhost:5000/node:v1", "localhost:5000/node", Some("v1"), None),
            ("quay.io/p/node:v1@sha256:aa", "quay.io/p/node", Some("v1"), Some("sha256:aa")),
            ("quay.io/p/node@sha256:aa", "quay.io/p/node", None, Some("sha256:aa")),
            ("x:", "x", Some(""), None),
            ("", "", None, None),
        ] {
            assert_eq!(Image::parse(reference), Image { repository, tag, digest }, "{reference}");
        }
    }
}
