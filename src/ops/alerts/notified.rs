//! What receivers answered: Alertmanager counts requests by integration, and its log has the words of
//! those that failed. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::matcher::Labels;
use super::routing::kind;
use crate::json;

const REQUESTS: &str = "alertmanager_notification_requests_total";
const FAILED: &str = "alertmanager_notification_requests_failed_total";

/// Requests by integration (`slack`) and, where the server is told to count so, by receiver.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts(BTreeMap<(String, String), (f64, f64)>);

impl Counts {
    /// Of the metrics of every replica together.
    pub fn read(metrics: &[String]) -> Self {
        let mut counts = BTreeMap::new();
        for (failed, name) in [(false, REQUESTS), (true, FAILED)] {
            for line in metrics.iter().flat_map(|text| text.lines()) {
                let Some((labels, value)) =
                    line.strip_prefix(name).and_then(|rest| rest.strip_prefix('{')?.rsplit_once("} "))
                else {
                    continue;
                };
                let label = |name: &str| {
                    let begin = labels.split(&format!("{name}=\"")).nth(1).unwrap_or_default();
                    begin.split('"').next().unwrap_or_default().to_owned()
                };
                let entry: &mut (f64, f64) =
                    counts.entry((label("integration"), label("receiver_name"))).or_default();
                let value: f64 = value.trim().parse().unwrap_or_default();
                if failed { entry.1 += value } else { entry.0 += value }
            }
        }
        Self(counts)
    }

    /// Requests and failures of an integration of a receiver that are not in `before`. Where receivers
    /// are not counted one by one these are those of all of them.
    fn since(&self, before: &Self, kind: &str, receiver: &str) -> (f64, f64) {
        let by_receiver = self.0.keys().any(|(_, receiver)| !receiver.is_empty());
        let wanted = |key: &(String, String)| key.0 == kind && (!by_receiver || key.1 == receiver);
        let sum = |counts: &Self| {
            let found = counts.0.iter().filter(|(key, _)| wanted(key));
            found.fold((0.0, 0.0), |sum, (_, count)| (sum.0 + count.0, sum.1 + count.1))
        };
        let (now, then) = (sum(self), sum(before));
        ((now.0 - then.0).max(0.0), (now.1 - then.1).max(0.0))
    }

    /// Did requests fail since?
    pub fn failures_since(&self, before: &Self) -> bool {
        let failed = |counts: &Self| counts.0.values().map(|(_, failed)| failed).sum::<f64>();
        failed(self) > failed(before)
    }
}

/// A failure in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The receiver.
    pub receiver: String,
    /// `slack[0]`
    pub integration: String,
    /// What it said.
    pub words: String,
    /// Is it tried again?
    pub goes_on: bool,
}

/// The failures in lines of a log, in either of its forms, that no later success made good. Those of groups that
/// none of these alerts is in are left out.
pub fn failures<'l>(lines: impl IntoIterator<Item = &'l str>, alerts: &[Labels]) -> Vec<Failure> {
    // each with its group
    let mut found: Vec<(String, Failure)> = Vec::new();
    for line in lines {
        let fields = fields(line);
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let group = field("aggrGroup");
        if !is_group_of(group, alerts) {
            continue;
        }
        let mut add = |failure| found.push((group.to_owned(), failure));
        match field("msg") {
            "Notify attempt failed, will retry later" => add(Failure {
                receiver: field("receiver").to_owned(),
                integration: field("integration").to_owned(),
                words: redacted(field("err")),
                goes_on: true,
            }),
            // one line for all integrations of a receiver that gave up
            "Notify for alerts failed" => field("err").lines().filter_map(given_up).for_each(add),
            // told where it took more than one attempt
            "Notify success" => found.retain(|(of, failure)| {
                let (receiver, integration) = (field("receiver"), field("integration"));
                of != group || failure.receiver != receiver || failure.integration != integration
            }),
            _ => {}
        }
    }
    found.into_iter().map(|(_, failure)| failure).collect()
}

/// Can one of the alerts be in this group, `{}/{severity="critical"}:{alertname="Down", namespace="shop"}`? The labels
/// of a group are those of its alerts. What is written otherwise may be any group; labels that are added on the way
/// to Alertmanager an alert need not have here.
fn is_group_of(group: &str, alerts: &[Labels]) -> bool {
    let Some(labels) = group_labels(group) else { return true };
    let fits = |alert: &Labels| {
        labels.iter().all(|(name, value)| alert.get(name).is_none_or(|known| known == value))
    };
    alerts.iter().any(fits)
}

/// The labels behind the key of the route.
fn group_labels(group: &str) -> Option<Labels> {
    let mut begin = None;
    let (mut quoted, mut escaped, mut before) = (false, false, ' ');
    for (at, c) in group.char_indices() {
        match c {
            '"' if !escaped => quoted = !quoted,
            '{' if !quoted && before == ':' => begin = Some(at + 1),
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        before = c;
    }
    let mut rest = group.get(begin?..)?;
    let mut labels = Labels::new();
    while let Some((name, after)) = rest.split_once('=') {
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<String>();
        let value = values.next()?.ok()?;
        rest = after[values.byte_offset()..].trim_start_matches([',', ' ']);
        labels.insert(name.to_owned(), value);
    }
    rest.starts_with('}').then_some(labels)
}

/// `pager/webhook[0]: notify retry canceled due to unrecoverable error after 1 attempts: WORDS`
fn given_up(line: &str) -> Option<Failure> {
    let (place, rest) = line.split_once(": ")?;
    let (receiver, integration) = place.rsplit_once('/')?;
    if !integration.ends_with(']') {
        return None;
    }
    let words = match rest.strip_prefix("notify retry canceled ") {
        Some(reason) => reason.split_once("attempts: ").map_or(rest, |(_, words)| words),
        None => rest,
    };
    Some(Failure {
        receiver: receiver.to_owned(),
        integration: integration.to_owned(),
        words: redacted(words),
        goes_on: false,
    })
}

/// Most values in a line of JSON that is read as one.
const MOST_FIELDS: usize = 1_000;

/// The fields of a line in JSON or logfmt.
fn fields(line: &str) -> BTreeMap<String, String> {
    if let Some(Value::Object(fields)) = json::read(line.as_bytes(), MOST_FIELDS) {
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return fields.into_iter().map(|(name, value)| (name, text(value))).collect();
    }
    let mut found = BTreeMap::new();
    let mut rest = line.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            // the end of a text in quotes is found by whoever reads JSON, which it is as good as
            Some(_) => {
                let mut texts = serde_json::Deserializer::from_str(after).into_iter::<String>();
                match texts.next() {
                    Some(Ok(text)) => (text, &after[texts.byte_offset()..]),
                    _ => break,
                }
            }
            None => {
                let end = after.find(' ').unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
        };
        found.insert(name.trim().to_owned(), value);
        rest = next.trim_start();
    }
    found
}

/// Without what follows a host in an address: there may be a token in it.
fn redacted(words: &str) -> String {
    let mut out = String::new();
    let mut rest = words.trim();
    while let Some(at) = rest.find("://") {
        let after = at + 3;
        let end = rest[after..].find(|c: char| c.is_whitespace() || "\"'<>".contains(c));
        let end = end.map_or(rest.len(), |end| after + end);
        let address = &rest[after..end];
        let host = address.split(['/', '?', '#']).next().unwrap_or_default();
        out.push_str(&rest[..after]);
        out.push_str(host.rsplit('@').next().unwrap_or(host));
        if host.len() < address.len() {
            out.push_str("/…");
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The receiver took it.
    Accepted,
    /// The receiver did not, and Alertmanager gave up.
    Refused,
    /// It did not yet, and is tried again.
    Failing,
    /// Nothing was heard.
    Silent,
}

/// What one integration of a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The receiver.
    pub receiver: String,
    /// `slack[0]`
    pub integration: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The words of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// What is known of the integrations that were to be told (receiver and integration): failures by the
/// log, which names them; and as many successes as were counted, of the others.
pub fn answers(
    wanted: &[(String, String)],
    before: &Counts,
    after: &Counts,
    failures: &[Failure],
) -> Vec<Answer> {
    wanted
        .iter()
        .map(|(receiver, integration)| {
            let kind = kind(integration);
            let (requests, failed) = after.since(before, kind, receiver);
            let accepted = requests - failed;
            let said = |receiver: &str, integration: &str| {
                failures.iter().rfind(|f| f.receiver == receiver && f.integration == integration)
            };
            let counted_together = || {
                let same = wanted.iter().filter(|(_, other)| self::kind(other) == kind);
                same.filter(|(other, _)| after.is_counted_with(kind, other, receiver))
            };
            let whole = counted_together().count();
            let others = counted_together().filter(|(r, i)| said(r, i).is_none()).count();
            #[expect(clippy::cast_precision_loss, reason = "a handful")]
            let enough = |number: usize| accepted >= number as f64;
            let failure = said(receiver, integration);
            let outcome = match failure {
                Some(failure) if !failure.goes_on => Outcome::Refused,
                Some(_) if !enough(whole) => Outcome::Failing,
                Some(_) => Outcome::Accepted,
                None if enough(others) => Outcome::Accepted,
                None => Outcome::Silent,
            };
            let words = failure.filter(|_| outcome != Outcome::Accepted).map(|f| f.words.clone());
            Answer { receiver: receiver.clone(), integration: integration.clone(), outcome, said: words }
        })
        .collect()
}

impl Counts {
    /// Are the requests of both receivers one number?
    fn is_counted_with(&self, kind: &str, one: &str, other: &str) -> bool {
        one == other || !self.0.keys().any(|(known, receiver)| known == kind && !receiver.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(lines: &[(&str, u32, u32)]) -> Counts {
        let text = lines.iter().map(|(labels, requests, failed)| {
            format!("# TYPE x counter\n{REQUESTS}{{{labels}}} {requests}\n{FAILED}{{{labels}}} {failed}\n")
        });
        Counts::read(&[text.collect()])
    }

    fn wanted(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(receiver, integration)| ((*receiver).to_owned(), (*integration).to_owned()))
            .collect()
    }

    fn outcomes(answers: &[Answer]) -> Vec<(&str, Outcome, &str)> {
        let line = |a: &Answer| a.said.clone().unwrap_or_default();
        answers.iter().map(|a| (a.receiver.as_str(), a.outcome, &*line(a).leak())).collect()
    }

    fn named(alert: &str) -> Labels {
        Labels::from([("alertname".to_owned(), alert.to_owned())])
    }

    const REFUSAL: &str = r#"{"level":"ERROR","msg":"Notify for alerts failed","component":"dispatcher","aggrGroup":"{}:{alertname=\"KubectlObsTest\"}","num_alerts":1,"err":"pager/webhook[0]: notify retry canceled due to unrecoverable error after 1 attempts: unexpected status code 403: no such key"}"#;
    const RETRY: &str = r#"time=2026 level=WARN msg="Notify attempt failed, will retry later" component=dispatcher receiver=chat integration=slack[0] aggrGroup="{}:{alertname=\"KubectlObsTest\"}" attempts=1 err="Post \"https://hooks.example.com/services/T0/B0/secret\": dial tcp: connection refused""#;

    #[test]
    fn failures_are_read_in_both_forms_of_the_log_and_without_what_is_secret() {
        let strange = REFUSAL.replace("KubectlObsTest", "Other");
        let found = failures(
            [REFUSAL, RETRY, &strange, "level=INFO msg=\"Notify success\"", "no fields"],
            &[named("KubectlObsTest")],
        );
        let [refused, retried] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((refused.receiver.as_str(), refused.integration.as_str()), ("pager", "webhook[0]"));
        assert_eq!(
            (refused.words.as_str(), refused.goes_on),
            ("unexpected status code 403: no such key", false)
        );
        assert_eq!((retried.receiver.as_str(), retried.goes_on), ("chat", true));
        assert_eq!(retried.words, "Post \"https://hooks.example.com/…\": dial tcp: connection refused");
        assert_eq!(redacted("a://u:p@h b://h/?x=1 c"), "a://h b://h/… c");
    }

    #[test]
    fn a_group_is_that_of_the_alert_and_of_no_other() {
        let mut down = named("Down");
        down.insert("namespace".to_owned(), "shop".to_owned());
        let rows = [
            (r#"{}:{alertname="Down"}"#, true),
            (r#"{}:{alertname="TargetDown"}"#, false),
            (r#"{}/{alertname=~"Down|TargetDown"}:{alertname="TargetDown"}"#, false),
            (r#"{}/{x=":{alertname=\"Other\"}"}:{alertname="Down", namespace="shop"}"#, true),
            (r#"{}:{alertname="Down", namespace="bank"}"#, false),
            (r#"{}:{alertname="Down", cluster="added on the way"}"#, true),
            (r#"{}:{namespace="shop"}"#, true),
            ("{}:{}", true),
            ("", true),
            ("none", true),
        ];
        for (group, expected) in rows {
            assert_eq!(is_group_of(group, std::slice::from_ref(&down)), expected, "{group}");
        }
    }

    #[test]
    fn what_succeeded_later_is_no_failure() {
        let success = r#"time=2026 level=INFO msg="Notify success" component=dispatcher receiver=chat integration=slack[0] aggrGroup="{}:{alertname=\"KubectlObsTest\"}" attempts=2 duration=1s"#;
        let alerts = [named("KubectlObsTest")];
        assert_eq!(failures([RETRY, success], &alerts), []);
        assert_eq!(failures([success, RETRY], &alerts).len(), 1);
        let another = success.replace("slack[0]", "slack[1]");
        assert_eq!(failures([RETRY, &another], &alerts).len(), 1);
    }

    #[test]
    fn successes_are_counted_and_failures_named() {
        let before = counts(&[("integration=\"webhook\"", 5, 1), ("integration=\"slack\"", 0, 0)]);
        let to = wanted(&[("pager", "webhook[0]"), ("shop", "webhook[0]"), ("chat", "slack[0]")]);
        let nothing = outcomes(&answers(&to, &before, &before, &[])).len();
        assert_eq!(nothing, 3);
        assert!(answers(&to, &before, &before, &[]).iter().all(|a| a.outcome == Outcome::Silent));
        let after = counts(&[("integration=\"webhook\"", 7, 2), ("integration=\"slack\"", 1, 1)]);
        let failures = failures([REFUSAL, RETRY], &[named("KubectlObsTest")]);
        assert!(after.failures_since(&before));
        assert_eq!(
            outcomes(&answers(&to, &before, &after, &failures)),
            [
                ("pager", Outcome::Refused, "unexpected status code 403: no such key"),
                ("shop", Outcome::Accepted, ""),
                (
                    "chat",
                    Outcome::Failing,
                    "Post \"https://hooks.example.com/…\": dial tcp: connection refused"
                ),
            ]
        );
        // the second try got through
        let later = counts(&[("integration=\"webhook\"", 7, 2), ("integration=\"slack\"", 2, 1)]);
        assert_eq!(answers(&to, &before, &later, &failures)[2].outcome, Outcome::Accepted);
    }

    #[test]
    fn of_two_with_one_answer_nobody_knows_which_it_was() {
        let to = wanted(&[("a", "webhook[0]"), ("b", "webhook[0]")]);
        let one = counts(&[("integration=\"webhook\"", 1, 0)]);
        assert!(answers(&to, &Counts::default(), &one, &[]).iter().all(|a| a.outcome == Outcome::Silent));
        let named = counts(&[("integration=\"webhook\",receiver_name=\"b\"", 1, 0)]);
        let found = answers(&to, &Counts::default(), &named, &[]);
        assert_eq!((found[0].outcome, found[1].outcome), (Outcome::Silent, Outcome::Accepted));
    }
}
