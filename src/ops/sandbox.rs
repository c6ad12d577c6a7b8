//! Renders bundles that did not come with the binary in a child process, and checks values against
//! their schemas there: `kubectl-obs __render` reads a request on stdin, carries it out under a memory
//! limit, and answers on stdout. It ends itself after a second of the processor's time: how much else the
//! machine has to do is no fault of the bundle. The parent ends it on a signal, or when it does not come to
//! run at all. A template or a schema can thereby neither hang nor fill the machine, nor crash the operation
//! that needs it.
//!
//! Both directions are frames: a length as 8 bytes, little endian, then that many bytes. The
//! request is one frame of JSON and one for each file; the answer is one frame of JSON.

use std::ffi::OsString;
use std::io::{BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{LOOK_EVERY, told};
use crate::bundle::{Bundle, Files, archive};
use crate::error::Error;
use crate::object::Object;
use crate::render::{self, Component, Facts, Rendered};
use crate::values::{self, Pointer, Values};
use crate::{Exit, Result, alloc};

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "__render";
/// Bytes that a child may allocate beyond the request itself.
pub const MEMORY: usize = 96 << 20;
/// How long a child may compute, when [`TIMEOUT_VARIABLE`] says nothing else.
pub const TIMEOUT: Duration = Duration::from_secs(1);
/// Seconds that a child may compute, for slow machines.
pub const TIMEOUT_VARIABLE: &str = "KUBECTL_OBS_RENDER_TIMEOUT";

/// So many times its limit a child is waited for, on a machine with other work.
const PATIENCE: u32 = 60;
/// How often a child looks at the time that it has used.
const LOOK_AT_TIME: Duration = Duration::from_millis(10);
/// What a child may answer: the rendered objects, and as much again for JSON's escapes.
const MAX_ANSWER: u64 = 128 << 20;
/// From this size on an answer is not held as text.
const LARGE_ANSWER: u64 = 4 << 20;
/// For the recursion of nested values and documents.
const STACK: usize = 64 << 20;

#[derive(Serialize, Deserialize)]
struct Request {
    task: Task,
    /// How long the child may compute.
    limit: Duration,
    paths: Vec<String>,
}

/// What the child does with a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Task {
    Render {
        values: Value,
        facts: Facts,
    },
    /// Are the values valid, and where in the user's are secrets?
    Check {
        values: Values,
    },
    /// Where are secrets in these values?
    Secrets {
        values: Value,
    },
}

impl Task {
    /// How errors call it.
    fn words(&self) -> Words {
        match self {
            Self::Render { .. } => Words {
                subject: "the templates",
                slow: "a loop in them is too large",
                large: "a template builds a text or list that is too large, or the bundle's files are",
            },
            Self::Check { .. } | Self::Secrets { .. } => Words {
                subject: "the values or the schema",
                slow: "branches of the schema multiply, or the values are very large",
                large: "the values are very large, or branches or choices of the schema multiply with them",
            },
        }
    }
}

/// Where secrets are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Secrets {
    /// In the user's own values: recorded with them.
    pub user: Vec<Pointer>,
    /// In the effective values: what is looked for where they were rendered into.
    pub tree: Vec<Pointer>,
}

/// What is at fault when a limit is met, fits "… of bundle x"; and why it can be too slow or too large.
struct Words {
    subject: &'static str,
    slow: &'static str,
    large: &'static str,
}

#[derive(Serialize, Deserialize)]
enum Answer {
    Checked(Secrets),
    Secrets(Vec<Pointer>),
    Rendered {
        objects: Vec<Value>,
        sources: Vec<String>,
        components: Vec<Value>,
        component_values: std::collections::BTreeMap<String, Value>,
        notes: String,
    },
    Failed {
        usage: bool,
        message: String,
        details: Vec<String>,
        hints: Vec<String>,
    },
}

/// How the child is started.
pub struct Sandbox {
    /// The program that knows [`SUBCOMMAND`].
    pub program: PathBuf,
    /// How long it may compute.
    pub timeout: Duration,
}

impl Sandbox {
    /// This program, with the timeout of the environment.
    pub fn new() -> Result<Self> {
        // on Linux this name stays right when the file was replaced by an upgrade meanwhile
        let program = match cfg!(target_os = "linux") {
            true => PathBuf::from("/proc/self/exe"),
            false => std::env::current_exe()
                .map_err(|e| Error::failed(format!("cannot find this program's own file: {e}")))?,
        };
        Ok(Self { program, timeout: timeout(std::env::var_os(TIMEOUT_VARIABLE))? })
    }

    /// Renders; an error names the bundle and the limit that was reached.
    pub fn render(&self, files: &Files, values: &Value, facts: &Facts) -> Result<Rendered> {
        let task = Task::Render { values: values.clone(), facts: facts.clone() };
        rendered(self.carry_out(files, task)?)
    }

    /// Checks values against the bundle's schema; gives where secrets are in them.
    pub fn check(&self, files: &Files, values: &Values) -> Result<Secrets> {
        match succeeded(self.carry_out(files, Task::Check { values: values.clone() })?)? {
            Answer::Checked(secrets) => Ok(secrets),
            _ => Err(unreadable()),
        }
    }

    /// Where in `values` secrets are, by the bundle's schema.
    pub fn secrets(&self, files: &Files, values: &Value) -> Result<Vec<Pointer>> {
        match succeeded(self.carry_out(files, Task::Secrets { values: values.clone() })?)? {
            Answer::Secrets(pointers) => Ok(pointers),
            _ => Err(unreadable()),
        }
    }

    fn carry_out(&self, files: &Files, task: Task) -> Result<Answer> {
        let name = Bundle::load(files)?.name().to_owned();
        let words = task.words();
        let broken = |what: &str, e: std::io::Error| {
            Error::failed(format!("cannot {what} the process that works on bundle {name}: {e}"))
        };
        let mut child = Command::new(&self.program)
            .arg(SUBCOMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| broken("start", e))?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::failed("the process that renders has no pipes"));
        };
        let request = request(files, task, self.timeout)?;
        // a child that ended early breaks the pipe; its status says why
        thread::spawn(move || drop(stdin.write_all(&request)));
        let (send, answer) = mpsc::channel();
        thread::spawn(move || drop(send.send(read_answer(stdout))));
        let answer = wait_for(&answer, self.timeout * PATIENCE);
        if !matches!(answer, Waited::Done(_)) {
            // it may have ended by itself just now
            drop(child.kill());
        }
        let status = child.wait().map_err(|e| broken("wait for", e))?;
        let too_long = |time: String| {
            Error::usage(format!("{} of bundle {name} did not end within {time}", words.subject))
                .hint(format!("{}; on a slow machine set {TIMEOUT_VARIABLE} to more seconds", words.slow))
        };
        let seconds = self.timeout.as_secs_f32();
        match answer {
            Waited::Done(Some(answer)) if status.success() => Ok(answer),
            Waited::Done(_) if status.code() == Some(i32::from(Exit::Deadline.code())) => {
                Err(too_long(format!("{seconds} s of computing")))
            }
            Waited::Done(_) => Err(ended(&name, &words, status)),
            Waited::Told(interrupted) => Err(interrupted),
            Waited::TooLong => Err(too_long(format!("{} s", (self.timeout * PATIENCE).as_secs_f32()))),
        }
    }
}

enum Waited {
    Done(Option<Answer>),
    /// A signal came.
    Told(Error),
    TooLong,
}

/// Waits for the answer; looks now and then whether a signal came.
fn wait_for(answer: &mpsc::Receiver<Option<Answer>>, timeout: Duration) -> Waited {
    let begun = Instant::now();
    loop {
        let left = timeout.saturating_sub(begun.elapsed());
        match answer.recv_timeout(left.min(LOOK_EVERY)) {
            Ok(answer) => return Waited::Done(answer),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Waited::Done(None),
            Err(mpsc::RecvTimeoutError::Timeout) => match told() {
                Some(interrupted) => return Waited::Told(interrupted),
                None if left.is_zero() => return Waited::TooLong,
                None => {}
            },
        }
    }
}

/// The answer of a child, if it is a whole one. A large one is read as it comes, which takes longer,
/// but then its text and what it says are not held at the same time.
fn read_answer(mut stdout: impl Read) -> Option<Answer> {
    let mut length = [0; 8];
    stdout.read_exact(&mut length).ok()?;
    let length = Some(u64::from_le_bytes(length)).filter(|length| *length <= MAX_ANSWER)?;
    let mut text = stdout.by_ref().take(length);
    let answer = if length < LARGE_ANSWER {
        let mut bytes = Vec::new();
        text.read_to_end(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()?
    } else {
        serde_json::from_reader(BufReader::with_capacity(64 << 10, text)).ok()?
    };
    // nothing may follow, and the child's end is waited for here, where the time is limited
    (stdout.read(&mut [0]).ok()? == 0).then_some(answer)
}

/// The child's side: reads a request from stdin, renders, answers on stdout. Called by `main` for
/// [`SUBCOMMAND`]; the result is the exit status.
pub fn serve() -> u8 {
    let mut request = Vec::new();
    if std::io::stdin().lock().read_to_end(&mut request).is_err() {
        return Exit::Failed.code();
    }
    let Some((files, task, limit)) = parse_request(&request) else { return Exit::Usage.code() };
    drop(request);
    thread::spawn(move || {
        while computed() < limit {
            thread::sleep(LOOK_AT_TIME);
        }
        #[expect(clippy::disallowed_methods, reason = "main is in a template that does not end")]
        std::process::exit(i32::from(Exit::Deadline.code()));
    });
    alloc::arm(MEMORY);
    let work = move || Bundle::load(&files).and_then(|bundle| perform(&bundle, task)).unwrap_or_else(failed);
    let thread = thread::Builder::new().stack_size(STACK).spawn(work);
    let Some(Ok(answer)) = thread.ok().map(thread::JoinHandle::join) else { return Exit::Failed.code() };
    let Ok(bytes) = serde_json::to_vec(&answer) else { return Exit::Failed.code() };
    let mut stdout = std::io::stdout().lock();
    let sent = stdout.write_all(&(bytes.len() as u64).to_le_bytes()).and_then(|()| stdout.write_all(&bytes));
    if sent.and_then(|()| stdout.flush()).is_ok() { 0 } else { Exit::Failed.code() }
}

/// The processor's time that this process has used (clock_gettime(2)).
#[cfg(unix)]
fn computed() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

/// Where that is not known: the time since it was first asked for.
#[cfg(not(unix))]
fn computed() -> Duration {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// Seconds from the environment; [`TIMEOUT`] when the variable is not set.
fn timeout(variable: Option<OsString>) -> Result<Duration> {
    let Some(text) = variable else { return Ok(TIMEOUT) };
    let seconds = text.to_str().and_then(|text| text.parse::<f64>().ok()).filter(|s| *s > 0.0 && *s <= 100.0);
    seconds.map(Duration::from_secs_f64).ok_or_else(|| {
        Error::usage(format!("{TIMEOUT_VARIABLE} is {text:?}, expected seconds up to 100, for example 5"))
    })
}

/// Why a child ended without an answer.
fn ended(name: &str, words: &Words, status: ExitStatus) -> Error {
    match status.code() {
        Some(alloc::OVER_LIMIT) => {
            let limit = MEMORY >> 20;
            Error::usage(format!("{} of bundle {name} used more than {limit} MB", words.subject))
                .hint(words.large)
        }
        // a stack that is used up ends the process by a signal
        _ => Error::usage(format!("the process that works on bundle {name} ended unexpectedly ({status})"))
            .hint("a template or the schema nests without end, or the machine ran out of memory"),
    }
}

fn request(files: &Files, task: Task, limit: Duration) -> Result<Vec<u8>> {
    let size: usize = files.values().map(Vec::len).sum();
    if files.len() > archive::MAX_FILES || size as u64 > archive::MAX_TOTAL {
        return Err(Error::usage("the bundle is too large").hint("at most 5,000 files and 64 MiB"));
    }
    let head = Request { task, limit, paths: files.keys().cloned().collect() };
    let head =
        serde_json::to_vec(&head).map_err(|e| Error::failed(format!("cannot encode the values: {e}")))?;
    let mut out = Vec::with_capacity(size + head.len() + 8 * (files.len() + 1));
    for bytes in std::iter::once(&head).chain(files.values()) {
        out.extend((bytes.len() as u64).to_le_bytes());
        out.extend(bytes);
    }
    Ok(out)
}

fn parse_request(bytes: &[u8]) -> Option<(Files, Task, Duration)> {
    let mut frames = frames(bytes);
    let Request { task, limit, paths } = serde_json::from_slice(frames.next()?).ok()?;
    let files = paths.into_iter().map(|path| Some((path, frames.next()?.to_vec()))).collect::<Option<_>>()?;
    Some((files, task, limit))
}

/// The complete frames in `bytes`.
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let (frame, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        bytes = rest;
        Some(frame)
    })
}

/// The child's work.
fn perform(bundle: &Bundle, task: Task) -> Result<Answer> {
    Ok(match task {
        Task::Render { values, facts } => {
            let Rendered { objects, sources, components, component_values, notes, derived: _ } =
                render::render(bundle, &values, &facts)?;
            Answer::Rendered {
                objects: objects.into_iter().map(Object::into_value).collect(),
                sources,
                components: components.into_iter().map(component_to_json).collect(),
                component_values,
                notes,
            }
        }
        Task::Check { values } => Answer::Checked(check(bundle, &values)?),
        Task::Secrets { values } => Answer::Secrets(schema_secrets(bundle, &values)),
    })
}

/// Checks values against the bundle's schema, in this process; gives where secrets are in them. A bundle
/// without a schema takes everything and calls nothing secret.
pub fn check(bundle: &Bundle, values: &Values) -> Result<Secrets> {
    if let Some(schema) = bundle.effective_schema() {
        let title = format!("bundle {} {}", bundle.name(), bundle.meta().version);
        values::schema::check(schema, values, &title)?;
    }
    Ok(Secrets { user: schema_secrets(bundle, &values.user), tree: schema_secrets(bundle, &values.tree) })
}

/// Where in `values` secrets are, by the bundle's schema; in this process.
pub fn schema_secrets(bundle: &Bundle, values: &Value) -> Vec<Pointer> {
    let schema = bundle.effective_schema();
    schema.map(|schema| values::schema::secrets(schema, values)).unwrap_or_default()
}

fn failed(error: Error) -> Answer {
    Answer::Failed {
        usage: error.exit() == Exit::Usage,
        message: error.message().to_owned(),
        details: error.details().to_vec(),
        hints: error.hints().to_vec(),
    }
}

/// What the child answered, where it is no failure.
fn succeeded(answer: Answer) -> Result<Answer> {
    let Answer::Failed { usage, message, details, hints } = answer else { return Ok(answer) };
    let error = if usage { Error::usage(message) } else { Error::failed(message) };
    let error = details.into_iter().fold(error, Error::detail);
    Err(hints.into_iter().fold(error, Error::hint))
}

fn unreadable() -> Error {
    Error::failed("the process that renders answered unreadably")
}

fn rendered(answer: Answer) -> Result<Rendered> {
    let Answer::Rendered { objects, sources, components, component_values, notes } = succeeded(answer)?
    else {
        return Err(unreadable());
    };
    let objects = objects.into_iter().map(Object::new).collect::<Result<_, _>>().map_err(Error::failed)?;
    let components = components.into_iter().map(component_from_json).collect::<Option<_>>();
    let components = components.ok_or_else(unreadable)?;
    Ok(Rendered { objects, sources, components, component_values, notes, derived: Vec::new() })
}

fn component_to_json(component: Component) -> Value {
    let Component {
        name,
        version,
        app_version,
        node_level,
        data_format,
        downgrade_to,
        needs,
        exports,
        health,
    } = component;
    serde_json::json!([
        name,
        version,
        app_version,
        node_level,
        data_format,
        downgrade_to,
        needs,
        exports,
        health
    ])
}

fn component_from_json(value: Value) -> Option<Component> {
    let (name, version, app_version, node_level, data_format, downgrade_to, needs, exports, health) =
        serde_json::from_value(value).ok()?;
    Some(Component {
        name,
        version,
        app_version,
        node_level,
        data_format,
        downgrade_to,
        needs,
        exports,
        health,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_is_a_number_of_seconds() {
        assert_eq!(timeout(None).unwrap(), TIMEOUT);
        assert_eq!(timeout(Some("2.5".into())).unwrap(), Duration::from_millis(2500));
        for wrong in ["", "0", "-1", "inf", "NaN", "1s", "101"] {
            assert!(timeout(Some(wrong.into())).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_request_reads_back_and_a_cut_one_does_not() {
        let files = Files::from([("a".to_owned(), b"x".to_vec()), ("b".to_owned(), Vec::new())]);
        let facts = Facts {
            release: "obs".into(),
            namespace: "n".into(),
            node_namespace: "m".into(),
            kubernetes: "1.34.0".into(),
            hmac_key: vec![0, 255],
        };
        let task = Task::Render { values: serde_json::json!({"k": 1}), facts };
        let bytes = request(&files, task.clone(), TIMEOUT).unwrap();
        assert_eq!(parse_request(&bytes).unwrap(), (files, task, TIMEOUT));
        assert!((0..bytes.len()).all(|end| parse_request(&bytes[..end]).is_none()));
    }
}
