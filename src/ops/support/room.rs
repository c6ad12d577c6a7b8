//! What an archive has room for: it is made when most is wrong, so that it may not fail for being too large. Logs give
//! way first, the oldest of their lines and those of runs before.

use std::collections::BTreeMap;

use crate::bundle::archive;

/// What the archive needs for its own files: the list of what is missing is the longest.
pub(super) const OWN: (usize, u64) = (3, 4 << 20);
/// What a log keeps that was shortened for want of room.
const SHORT: usize = 64 << 10;
/// Room for all files that are not the archive's own.
const TOTAL: u64 = archive::MAX_TOTAL - OWN.1;

/// Makes room, and names what had to give way: first the runs before and then other logs, the largest first, are cut
/// down to their newest lines; then the same go, and then whatever is largest.
pub(super) fn fit(
    contents: &mut BTreeMap<String, String>,
    missing: &mut BTreeMap<String, String>,
    own: usize,
) {
    let largest = usize::try_from(archive::MAX_FILE).unwrap_or(usize::MAX);
    let too_large = contents.iter().filter(|(_, text)| text.len() > largest);
    let too_large: Vec<String> = too_large.map(|(path, _)| path.clone()).collect();
    for path in &too_large {
        if is_log(path) {
            shorten(contents, missing, path, largest);
        } else {
            contents.remove(path);
            missing.insert(path.clone(), "it is larger than the archive takes".to_owned());
        }
    }
    let mut total = size(contents);
    let mut count = contents.len() + own;
    // what says most is kept longest
    let rank = |path: &str| match path {
        path if is_log(path) && path.ends_with(".previous.log") => 0,
        path if is_log(path) => 1,
        path if path.starts_with("pods/") => 2,
        path if path.starts_with("events/") => 3,
        _ => 4,
    };
    let mut order: Vec<(usize, usize, String)> =
        contents.iter().map(|(path, text)| (rank(path), text.len(), path.clone())).collect();
    order.sort_by_key(|(rank, size, path)| (*rank, std::cmp::Reverse(*size), path.clone()));
    for (rank, size, path) in &order {
        if total <= TOTAL {
            break;
        }
        if *rank < 2 && *size > SHORT {
            total -= shorten(contents, missing, path, SHORT) as u64;
        }
    }
    for (_, _, path) in &order {
        if total <= TOTAL && count <= archive::MAX_FILES {
            break;
        }
        if let Some(text) = contents.remove(path) {
            (total, count) = (total - text.len() as u64, count - 1);
            missing.remove(&format!("the beginning of {path}"));
            missing.insert(path.clone(), "the archive has no room for it".to_owned());
        }
    }
}

fn is_log(path: &str) -> bool {
    path.starts_with("logs/")
}

/// Leaves the newest lines of a log, and gives how much went.
fn shorten(
    contents: &mut BTreeMap<String, String>,
    missing: &mut BTreeMap<String, String>,
    path: &str,
    most: usize,
) -> usize {
    let Some(text) = contents.get_mut(path) else { return 0 };
    let from = (text.len().saturating_sub(most)..=text.len()).find(|at| text.is_char_boundary(*at));
    let from = from.unwrap_or(text.len());
    // whole lines, if one ends there
    let from = text[from..].find('\n').map_or(from, |end| from + end + 1);
    let kept = text.split_off(from);
    *text = kept;
    missing.insert(format!("the beginning of {path}"), "the archive has no room for it".to_owned());
    from
}

/// As much of the list of what is missing as has room, and how much more there is.
pub(super) fn listed(missing: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut left = OWN.1 / 4;
    let all = missing.len();
    let mut listed: BTreeMap<String, String> = BTreeMap::new();
    for (what, why) in missing {
        let length = (what.len() + why.len()) as u64;
        if length > left {
            break;
        }
        left -= length;
        listed.insert(what, why);
    }
    if listed.len() < all {
        listed.insert(format!("{} more", all - listed.len()), "there are too many to name all".to_owned());
    }
    listed
}

fn size(contents: &BTreeMap<String, String>) -> u64 {
    contents.values().map(|text| text.len() as u64).sum()
}

/// Is it more than so many archives have room for?
pub(super) fn is_over(contents: &BTreeMap<String, String>, archives: u64) -> bool {
    size(contents) > archives * TOTAL
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::archive::Files;

    /// The bundle of a large and broken cluster: a hundred megabytes of logs.
    #[test]
    fn logs_of_runs_before_give_way_first_and_the_archive_is_made() {
        let mut contents: BTreeMap<String, String> = BTreeMap::new();
        let mib = format!("{}\n", "x".repeat(1023)).repeat(1024);
        for n in 0..50 {
            contents.insert(format!("logs/o/p{n}/c.log"), mib.clone());
            contents.insert(format!("logs/o/p{n}/c.previous.log"), mib.clone());
        }
        contents.insert("findings.md".into(), "# Release".into());
        let mut missing = BTreeMap::new();
        fit(&mut contents, &mut missing, OWN.0);
        assert!(!is_over(&contents, 1));
        assert_eq!(contents["logs/o/p7/c.log"].len(), 1 << 20, "these fit");
        assert!(contents["logs/o/p0/c.previous.log"].len() <= SHORT);
        assert!(missing.contains_key("the beginning of logs/o/p0/c.previous.log"), "{missing:?}");
        let files: Files = contents.into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
        archive::pack(&files).unwrap();
    }

    #[test]
    fn more_files_than_an_archive_takes_are_named() {
        let mut contents: BTreeMap<String, String> = BTreeMap::new();
        for n in 0..2_000 {
            for path in [
                format!("logs/o/p{n}/c.log"),
                format!("logs/o/p{n}/c.previous.log"),
                format!("pods/o/p{n}.json"),
            ] {
                contents.insert(path, "{}".into());
            }
        }
        let mut missing = BTreeMap::new();
        fit(&mut contents, &mut missing, OWN.0);
        assert_eq!((contents.len(), missing.len()), (archive::MAX_FILES - OWN.0, 1_000 + OWN.0));
        assert!(missing.keys().all(|path| path.ends_with(".previous.log")), "the runs before are enough");
    }

    #[test]
    fn a_list_of_what_is_missing_has_an_end() {
        let missing = |count: usize| (0..count).map(|n| (format!("logs/{n:06}"), "y".repeat(300))).collect();
        assert_eq!(listed(missing(3)).len(), 3);
        let long = listed(missing(20_000));
        let named = long.len() - 1;
        assert!(size(&long) < OWN.1 / 2 && named > 3_000, "{named}");
        assert!(long.contains_key(&format!("{} more", 20_000 - named)));
    }
}
