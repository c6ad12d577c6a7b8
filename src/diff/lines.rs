//! Line by line: the difference between two texts as the shortest edit (Myers 1986).

/// One line of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit<'a> {
    Same(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

/// Texts that differ in more lines than this are shown as replaced: the search is quadratic in it.
const LIMIT: usize = 1500;

/// The edit from `old` to `new`. Removed lines stand before added ones.
pub(super) fn edit<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Edit<'a>> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);

    let mut out: Vec<Edit> = old[..head].iter().map(|line| Edit::Same(line)).collect();
    match shortest(a, b) {
        Some(middle) => out.extend(middle),
        None => {
            out.extend(a.iter().map(|line| Edit::Removed(line)));
            out.extend(b.iter().map(|line| Edit::Added(line)));
        }
    }
    out.extend(old[old.len() - tail..].iter().map(|line| Edit::Same(line)));
    out
}

/// Myers' greedy search; None beyond [`LIMIT`].
fn shortest<'a>(a: &[&'a str], b: &[&'a str]) -> Option<Vec<Edit<'a>>> {
    let most = (a.len() + b.len()).min(LIMIT);
    // furthest[d][k]: how far down `a` an edit of d steps reaches on diagonal k - d.
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for d in 0..=most {
        let mut round = vec![0; 2 * d + 1];
        for k in (0..=2 * d).step_by(2) {
            // Diagonal k - d, reached from the round before, whose diagonals are one step in.
            let mut x = if d == 0 {
                0
            } else {
                let before = &rounds[d - 1];
                let down = (k <= 2 * d - 2).then(|| before[k]);
                let right = (k >= 2).then(|| before[k - 2] + 1);
                match (down, right) {
                    (Some(down), Some(right)) => down.max(right),
                    (Some(x), None) | (None, Some(x)) => x,
                    (None, None) => 0,
                }
            };
            // y = x - (k - d)
            let mut y = (x + d).checked_sub(k);
            while let Some(at) = y
                && x < a.len()
                && at < b.len()
                && a[x] == b[at]
            {
                x += 1;
                y = Some(at + 1);
            }
            round[k] = x;
            if x >= a.len() && y.is_some_and(|y| y >= b.len()) {
                rounds.push(round);
                return Some(trace(a, b, &rounds));
            }
        }
        rounds.push(round);
    }
    None
}

/// From the end back to the start, the way that the search came.
fn trace<'a>(a: &[&'a str], b: &[&'a str], rounds: &[Vec<usize>]) -> Vec<Edit<'a>> {
    let (mut x, mut y) = (a.len(), b.len());
    let mut out = Vec::new();
    for d in (1..rounds.len()).rev() {
        let before = &rounds[d - 1];
        let k = x + d - y;
        let down = (k <= 2 * d - 2).then(|| before[k]);
        let right = (k >= 2).then(|| before[k - 2] + 1);
        let by_removal = match (down, right) {
            (Some(down), Some(right)) => right >= down,
            (None, Some(_)) => true,
            _ => false,
        };
        let start = if by_removal { right } else { down }.unwrap_or(0);
        while x > start {
            x -= 1;
            y -= 1;
            out.push(Edit::Same(a[x]));
        }
        if by_removal {
            x -= 1;
            out.push(Edit::Removed(a[x]));
        } else {
            y -= 1;
            out.push(Edit::Added(b[y]));
        }
    }
    while x > 0 {
        x -= 1;
        out.push(Edit::Same(a[x]));
    }
    out.reverse();
    sorted(out)
}

/// Within a run of changes removed lines come first, as people expect.
fn sorted(mut edits: Vec<Edit<'_>>) -> Vec<Edit<'_>> {
    for run in edits.chunk_by_mut(|a, b| matches!(a, Edit::Same(_)) == matches!(b, Edit::Same(_))) {
        run.sort_by_key(|edit| matches!(edit, Edit::Added(_)));
    }
    edits
}

/// The changes with `context` lines around them; None stands for what was left out between.
pub(super) fn hunks<'a>(edits: &[Edit<'a>], context: usize) -> Vec<Option<Edit<'a>>> {
    let changed = |edit: &Edit| !matches!(edit, Edit::Same(_));
    let near =
        |i: usize| edits[i.saturating_sub(context)..(i + context + 1).min(edits.len())].iter().any(changed);
    let mut out: Vec<Option<Edit>> = Vec::new();
    let mut skipped = false;
    for (i, edit) in edits.iter().enumerate() {
        if near(i) {
            if skipped && !out.is_empty() {
                out.push(None);
            }
            skipped = false;
            out.push(Some(*edit));
        } else {
            skipped = true;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(old: &str, new: &str) -> String {
        edit(&old.split(' ').collect::<Vec<_>>(), &new.split(' ').collect::<Vec<_>>())
            .iter()
            .map(|edit| match edit {
                Edit::Same(line) => format!(" {line}"),
                Edit::Removed(line) => format!("-{line}"),
                Edit::Added(line) => format!("+{line}"),
            })
            .collect()
    }

    #[test]
    fn the_shortest_edit_is_found() {
        assert_eq!(shown("a b c", "a b c"), " a b c");
        assert_eq!(shown("a b c", "a x c"), " a-b+x c");
        assert_eq!(shown("a b c", "a c"), " a-b c");
        assert_eq!(shown("a c", "a b c"), " a+b c");
        assert_eq!(shown("a b c a b b a", "c b a b a c"), "-a+c b-c a b-b a+c");
    }

    #[test]
    fn hunks_leave_out_what_is_far_from_changes() {
        let edits =
            edit(&["1", "2", "3", "4", "5", "6", "7", "8"], &["x", "2", "3", "4", "5", "6", "7", "y"]);
        let shown: Vec<String> = hunks(&edits, 1)
            .iter()
            .map(|edit| match edit {
                None => "…".to_owned(),
                Some(Edit::Same(line)) => format!(" {line}"),
                Some(Edit::Removed(line)) => format!("-{line}"),
                Some(Edit::Added(line)) => format!("+{line}"),
            })
            .collect();
        assert_eq!(shown, ["-1", "+x", " 2", "…", " 7", "-8", "+y"]);
    }

    #[test]
    fn texts_without_anything_in_common_end_soon() {
        let old: Vec<String> = (0..4000).map(|i| format!("old {i}")).collect();
        let new: Vec<String> = (0..4000).map(|i| format!("new {i}")).collect();
        let (old, new): (Vec<&str>, Vec<&str>) =
            (old.iter().map(String::as_str).collect(), new.iter().map(String::as_str).collect());
        assert_eq!(edit(&old, &new).len(), 8000);
    }

    proptest! {
        #[test]
        fn both_texts_can_be_read_from_the_edit(old in "[abc]{0,12}", new in "[abc]{0,12}") {
            let split = |text: &str| -> Vec<String> { text.chars().map(String::from).collect() };
            let (old, new) = (split(&old), split(&new));
            let (old, new): (Vec<&str>, Vec<&str>) =
                (old.iter().map(String::as_str).collect(), new.iter().map(String::as_str).collect());
            let edits = edit(&old, &new);
            let read = |left: bool| -> Vec<&str> {
                edits.iter().filter_map(|edit| match edit {
                    Edit::Same(line) => Some(*line),
                    Edit::Removed(line) => left.then_some(*line),
                    Edit::Added(line) => (!left).then_some(*line),
                }).collect()
            };
            prop_assert_eq!(read(true), old.clone());
            prop_assert_eq!(read(false), new.clone());
            // As short as the longest common subsequence allows.
            let mut table = vec![vec![0; new.len() + 1]; old.len() + 1];
            for i in 0..old.len() {
                for j in 0..new.len() {
                    table[i + 1][j + 1] =
                        if old[i] == new[j] { table[i][j] + 1 } else { table[i][j + 1].max(table[i + 1][j]) };
                }
            }
            let kept = edits.iter().filter(|edit| matches!(edit, Edit::Same(_))).count();
            prop_assert_eq!(kept, table[old.len()][new.len()]);
        }
    }
}
