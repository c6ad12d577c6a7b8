//! Who runs this operation, and when: what records and the lock say about it.

pub use crate::cluster::who::who;
use crate::plan::Owner;
use crate::readiness::spans::age;

/// A field's owner in words: `kubectl-edit 3 days ago`.
pub fn owner(owner: &Owner) -> String {
    match &owner.time {
        Some(time) => format!("{} {}", owner.manager, ago(time)),
        None => owner.manager.clone(),
    }
}

/// Now, RFC 3339 in UTC with seconds.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// How long ago an RFC 3339 time was, in words: `3m ago`; the text itself when it is no time.
pub fn ago(time: &str) -> String {
    match time.parse() {
        Ok(then) => age(jiff::Timestamp::now(), then),
        Err(_) => time.to_owned(),
    }
}

/// An RFC 3339 time as a clock on the wall here shows it: `2026-11-21 10:02`; the text itself when
/// it is no time.
pub fn local(time: &str) -> String {
    match time.parse::<jiff::Timestamp>() {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => time.to_owned(),
    }
}
