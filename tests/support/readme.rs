//! The transcripts in README.md: what a person sees there was on the screen of a test. A test compares
//! its screen with the block after its marker; with `OBS_UPDATE_README=1` it writes the block.
//!
//! ```text
//! <!-- transcript: NAME -->
//! (a fenced block)
//! <!-- /transcript -->
//! ```

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use regex::Regex;

/// Tests that write do it one by one.
static FILE: Mutex<()> = Mutex::new(());

/// Are the transcripts to be written?
pub fn is_updated() -> bool {
    std::env::var("OBS_UPDATE_README").is_ok_and(|value| value == "1")
}

/// Compares the transcript `name` with `seen`, apart from what differs from run to run.
#[track_caller]
pub fn shows(name: &str, seen: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let alone = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = fs::read_to_string(&path).expect("read README.md");
    let begin = format!("<!-- transcript: {name} -->\n```console\n");
    let parts = text.split_once(&begin).and_then(|(before, rest)| {
        let (block, after) = rest.split_once("```\n<!-- /transcript -->")?;
        Some((before, block, after))
    });
    let Some((before, block, after)) = parts else {
        panic!("README.md has no block with the marker <!-- transcript: {name} -->");
    };
    let seen = format!("{}\n", seen.trim_end());
    if is_updated() {
        let text = format!("{before}{begin}{seen}```\n<!-- /transcript -->{after}");
        fs::write(&path, text).expect("write README.md");
    }
    drop(alone);
    assert!(
        is_updated() || shape(block) == shape(&seen),
        "the transcript {name} in README.md is not what the screen shows; write it anew with\n  \
         OBS_UPDATE_README=1 scripts/test --test cluster -- stack::\n--- README.md\n{block}\n--- the screen\n{seen}"
    );
}

/// The text without times, restarts, names of pods and the name of the cluster. Columns move with the times.
fn shape(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, word) in [
        (r"\(cluster \S+, Kubernetes \S+\)", "(cluster)"),
        (r"just now|\b\d+[smhd] ago", "[ago]"),
        (r"\b(\d+[hm])?\d+(\.\d)?[smhd]\b", "[time]"),
        (r"\b(obs-[a-z-]+)-[0-9a-z]{5,10}-[0-9a-z]{5}\b", "$1-[pod]"),
        // how far a crash loop comes until the deadline; before the first restart there are no earlier logs
        (r"\b(\d+ restarts?|no restart yet)\b", "[restarts]"),
        (r" --previous\b", ""),
        (r" +", " "),
    ] {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, word).into_owned();
    }
    text
}
