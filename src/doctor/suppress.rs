//! Findings that somebody knows of and does not want to be told again, for a time and with a reason. What is
//! suppressed is still counted and listed, and what follows from it is told as a finding of its own.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{Finding, find};

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    id: &'static str,
    about: Option<String>,
    words: Option<String>,
    reason: String,
    until: String,
    ends: Timestamp,
}

/// A finding that was suppressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Suppressed {
    /// The check's id.
    pub id: &'static str,
    /// What it found.
    pub title: String,
    /// The components that it is about.
    #[serde(skip)]
    pub about: Vec<String>,
    /// Why nobody wants to hear of it.
    pub reason: String,
    /// The last day on which it is suppressed.
    pub until: String,
}

/// Reads a list; an error says which entry is wrong and how.
pub fn read(text: &str) -> Result<Vec<Suppression>, String> {
    let document = crate::yaml::parse(text).map_err(|error| error.to_string())?;
    let Some(entries) = document["suppressions"].as_array() else {
        return Err("it has no list called suppressions".to_owned());
    };
    let entry =
        |(place, entry): (usize, &Value)| one(entry).map_err(|why| format!("suppressions[{place}]: {why}"));
    entries.iter().enumerate().map(entry).collect()
}

fn one(entry: &Value) -> Result<Suppression, String> {
    const KEYS: [&str; 5] = ["id", "about", "words", "reason", "until"];
    let fields = entry.as_object().ok_or("it is no entry with id, reason and until")?;
    if let Some(unknown) = fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("unknown key {unknown}; there are {}", KEYS.join(", ")));
    }
    let text =
        |key: &str| entry[key].as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let demand = |key: &str| text(key).ok_or(format!("{key} is missing, or no text"));
    let id = demand("id")?;
    let check = find(&id).ok_or(format!("there is no check {id}"))?;
    let until = demand("until")?;
    let day: jiff::civil::Date = until.parse().map_err(|_| format!("until is no day: {until}"))?;
    // the day itself counts
    let ends = day.tomorrow().and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC));
    let ends = ends.map_err(|_| format!("until is no day: {until}"))?.timestamp();
    Ok(Suppression {
        id: check.id,
        about: text("about"),
        words: text("words"),
        reason: demand("reason")?,
        until,
        ends,
    })
}

impl Suppression {
    fn takes(&self, id: &str, finding: &Finding) -> bool {
        self.id == id
            && self.about.as_ref().is_none_or(|about| finding.about.contains(about))
            && self.words.as_ref().is_none_or(|words| finding.title.contains(words.as_str()))
    }

    /// What becomes of a finding at a time: told, told since this entry is over, or suppressed.
    pub fn judge(all: &[Self], id: &'static str, finding: &Finding, now: Option<Timestamp>) -> Verdict {
        let mut verdict = Verdict::Told;
        for entry in all.iter().filter(|entry| entry.takes(id, finding)) {
            // who does not know the time does not know that it is over
            if now.is_none_or(|now| now < entry.ends) {
                return Verdict::Suppressed(Suppressed {
                    id,
                    title: finding.title.clone(),
                    about: finding.about.clone(),
                    reason: entry.reason.clone(),
                    until: entry.until.clone(),
                });
            }
            verdict = Verdict::Over(format!(
                "the suppression of {id} ({}) ended with {}",
                entry.reason, entry.until
            ));
        }
        verdict
    }
}

/// What becomes of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is told.
    Told,
    /// It is told, since the entry about it is over: in words.
    Over(String),
    /// It is counted and listed alone.
    Suppressed(Suppressed),
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "suppressions:\n- {id: nt04, about: alertmanager, reason: a sandbox, until: 2026-11-28}\n\
                        - {id: ST02, words: data-0, reason: known, until: 2026-12-31}\n";

    fn judged(id: &'static str, finding: &Finding, now: &str) -> Verdict {
        Suppression::judge(&read(LIST).unwrap(), id, finding, Some(now.parse().unwrap()))
    }

    #[test]
    fn an_entry_holds_to_the_end_of_its_day() {
        let finding = Finding::warn("nobody is told").about("alertmanager");
        assert!(matches!(judged("NT04", &finding, "2026-11-28T23:59:59Z"), Verdict::Suppressed(_)));
        let over = judged("NT04", &finding, "2026-11-29T00:00:00Z");
        assert_eq!(over, Verdict::Over("the suppression of NT04 (a sandbox) ended with 2026-11-28".into()));
    }

    #[test]
    fn an_entry_takes_what_it_says_and_no_more() {
        let now = "2026-11-28T10:00:00Z";
        assert_eq!(judged("NT04", &Finding::warn("x").about("grafana"), now), Verdict::Told);
        assert_eq!(judged("NT02", &Finding::warn("x").about("alertmanager"), now), Verdict::Told);
        assert!(matches!(
            judged("ST02", &Finding::warn("claim data-0 is full"), now),
            Verdict::Suppressed(_)
        ));
        assert_eq!(judged("ST02", &Finding::warn("claim data-1 is full"), now), Verdict::Told);
    }

    #[test]
    fn what_is_wrong_with_an_entry_is_said() {
        let rows = [
            ("suppressed: []", "it has no list called suppressions"),
            (
                "suppressions: [{id: NT04, until: 2026-12-31}]",
                "suppressions[0]: reason is missing, or no text",
            ),
            ("suppressions: [{id: NT04, reason: x}]", "suppressions[0]: until is missing, or no text"),
            ("suppressions: [{id: NT04, reason: x, until: soon}]", "suppressions[0]: until is no day: soon"),
            (
                "suppressions: [{id: XX99, reason: x, until: 2026-12-31}]",
                "suppressions[0]: there is no check XX99",
            ),
            (
                "suppressions: [{id: NT04, reason: x, until: 2026-12-31, for: 1h}]",
                "suppressions[0]: unknown key for; there are id, about, words, reason, until",
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(read(text).unwrap_err(), expected);
        }
    }
}
