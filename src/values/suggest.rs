//! "did you mean …": the nearest of some names.

/// The candidate that `word` is most likely a slip of; None when none is near.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = simplify(word);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (strsim::damerau_levenshtein(&plain, &simplify(candidate)), candidate))
        .filter(|(distance, candidate)| {
            let length = plain.chars().count().max(candidate.chars().count());
            // One slip in three letters; in very short words any letter may be another word's.
            *distance <= length / 3
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// Case and separators are what people mix up most: `storage-class` is `storageClass`.
fn simplify(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["retention", "replicas", "storageClass", "ip", "resources"];
        for (word, expected) in [
            ("retension", Some("retention")),
            ("replica", Some("replicas")),
            ("storage-class", Some("storageClass")),
            ("STORAGECLASS", Some("storageClass")),
            ("storgaeClass", Some("storageClass")),
            ("resource", Some("resources")),
            ("po", None),
            ("alerting", None),
            ("", None),
            ("replicas", None),
        ] {
            assert_eq!(did_you_mean(word, names), expected, "{word}");
        }
    }
}
