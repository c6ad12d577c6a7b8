//! A container's log line by line, as the kubelet has it: what is there, or what comes for as long
//! as the container runs. Each line begins with the time at which it was written.

use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::client::Body;

use super::Cluster;
use super::call::{Call, Subject, path, with_query};
use super::errors::Failure;
use super::retry;
use crate::Error;
use crate::object::builtin;

/// A line that is longer is given out in pieces.
const LONGEST_LINE: usize = 1 << 20;

/// From where on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So many seconds ago, by the cluster's clock.
    Ago(u64),
    /// This second, with its whole beginning: the API server rounds down.
    Time(Timestamp),
}

/// Which part of a log.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogQuery {
    /// Of the run before the present one.
    pub previous: bool,
    /// Go on until the container ends.
    pub follow: bool,
    /// The last lines only.
    pub tail: Option<u32>,
    /// Nothing before that.
    pub since: Option<Since>,
}

/// Why there is no log.
#[derive(Debug)]
pub enum LogError {
    /// The pod or this run of the container is not there, or has not started.
    NotThere(Error),
    /// The user may not read it.
    Refused(Error),
    /// Anything else.
    Other(Error),
}

impl From<LogError> for Error {
    fn from(error: LogError) -> Self {
        match error {
            LogError::NotThere(error) | LogError::Refused(error) | LogError::Other(error) => error,
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written; None for what the kubelet itself says.
    pub time: Option<Timestamp>,
    /// What was written, without its line break.
    pub text: String,
    /// Did it end with a line break?
    pub whole: bool,
}

/// A log as it comes.
pub struct LogLines {
    body: Body,
    buffer: Vec<u8>,
    /// Up to here there is no line break in the buffer.
    looked: usize,
    ended: bool,
}

impl Cluster {
    /// Opens the log of a container.
    pub async fn log_lines(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        query: LogQuery,
    ) -> Result<LogLines, LogError> {
        let kind = builtin::pods();
        let word = |yes: bool| if yes { "true" } else { "" };
        let tail = query.tail.map(|lines| lines.to_string()).unwrap_or_default();
        let (seconds, time) = match query.since {
            Some(Since::Ago(seconds)) => (seconds.max(1).to_string(), String::new()),
            Some(Since::Time(time)) => (String::new(), whole_second(time).to_string()),
            None => Default::default(),
        };
        let url = with_query(
            &format!("{}/log", path(&kind, Some(namespace), Some(pod))),
            &[
                ("container", container),
                ("timestamps", "true"),
                ("follow", word(query.follow)),
                ("previous", word(query.previous)),
                ("tailLines", &tail),
                ("sinceSeconds", &seconds),
                ("sinceTime", &time),
            ],
        );
        let call = Call::get(url, Subject::new("get", &kind, Some(namespace), Some(pod))).text();
        match retry::open(self, &call).await {
            Ok(body) => Ok(LogLines { body, buffer: Vec::new(), looked: 0, ended: false }),
            Err(failure) => Err(self.log_error(failure, &call)),
        }
    }

    fn log_error(&self, failure: Failure, call: &Call) -> LogError {
        let code = failure.code();
        let error = self.error(failure, call);
        match code {
            400 | 404 => LogError::NotThere(error),
            401 | 403 => LogError::Refused(error),
            _ => LogError::Other(error),
        }
    }
}

impl LogLines {
    /// The next line; None at the end. An error when the connection broke: there may be more.
    pub async fn next(&mut self) -> Result<Option<LogLine>, Error> {
        loop {
            if let Some(at) = self.buffer[self.looked..].iter().position(|byte| *byte == b'\n') {
                let end = self.looked + at;
                let line = parse(&self.buffer[..end], true);
                self.buffer.drain(..=end);
                self.looked = 0;
                return Ok(Some(line));
            }
            self.looked = self.buffer.len();
            if self.looked >= LONGEST_LINE || self.ended && self.looked > 0 {
                self.looked = 0;
                let rest = std::mem::take(&mut self.buffer);
                return Ok(Some(parse(&rest, false)));
            }
            if self.ended {
                return Ok(None);
            }
            match self.body.frame().await {
                None => self.ended = true,
                Some(Ok(frame)) => {
                    self.buffer.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
                }
                Some(Err(error)) => {
                    return Err(Error::unreachable(format!("the log broke off: {error}")));
                }
            }
        }
    }
}

fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// `2026-11-21T10:02:03.123456789Z text`
fn parse(line: &[u8], whole: bool) -> LogLine {
    let line = String::from_utf8_lossy(line);
    let (first, rest) = line.split_once(' ').unwrap_or((&line, ""));
    match first.parse::<Timestamp>() {
        Ok(time) => LogLine { time: Some(time), text: rest.to_owned(), whole },
        Err(_) => LogLine { time: None, text: line.into_owned(), whole },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::fake::{Fake, Step};

    #[test]
    fn a_line_is_time_and_text() {
        let line = parse(b"2026-11-21T10:02:03.000000001Z two  words ", true);
        assert_eq!(line.text, "two  words ");
        assert_eq!(line.time.unwrap().subsec_nanosecond(), 1);
        assert_eq!(parse(b"2026-11-21T10:02:03Z ", true).text, "", "an empty line is one, too");
        assert_eq!(parse(b"unable to retrieve container logs", true).time, None);
        assert_eq!(parse(b"2026-11-21T10:02:03Z \xff!", true).text, "\u{fffd}!");
    }

    #[tokio::test]
    async fn the_kubelet_is_asked_for_times_and_whole_seconds() {
        let fake = Fake::new([Step::Text(200, "2026-11-21T10:02:03Z a\n2026-11-21T10:02:04Z b")]);
        let since = Some(Since::Time("2026-11-21T10:02:03.9Z".parse().unwrap()));
        let query = LogQuery { follow: true, since, ..LogQuery::default() };
        let mut log = fake.reached().log_lines("ns", "pod", "main", query).await.ok().unwrap();
        let first = log.next().await.unwrap().unwrap();
        assert_eq!((first.text.as_str(), first.whole), ("a", true));
        let last = log.next().await.unwrap().unwrap();
        assert_eq!((last.text.as_str(), last.whole), ("b", false), "it may be half a line");
        assert!(log.next().await.unwrap().is_none());
        assert_eq!(
            fake.lines(),
            [
                "GET /api/v1/namespaces/ns/pods/pod/log?container=main&timestamps=true&follow=true&sinceTime=2026-11-21T10:02:03Z"
            ]
        );
    }
}
