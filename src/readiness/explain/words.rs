//! The last words of a container: many programs, few ways to say that a port is taken or a file
//! cannot be written. Reads a log from its end and says in one sentence what the program met.

use std::sync::LazyLock;

use regex::Regex;

/// What a program met. Paths, ports and names are there when its words tell them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Words {
    PortInUse(Option<String>),
    Denied(Option<String>),
    ReadOnly(Option<String>),
    DiskFull(Option<String>),
    NoFile(String),
    OpenFiles,
    OutOfMemory,
    NoCommand(String),
    NotExecutable(String),
    NoProgram,
    UnknownFlag(Option<String>),
    BadConfig(Option<String>),
    UnknownHost(Option<String>),
    Refused(Option<String>),
    Unreachable(Option<String>),
    Certificate,
    Credentials,
    Rights(Option<String>),
    Locked(Option<String>),
    Panic(Option<String>),
}

/// Makes words of a line in which a sign was found at this byte.
type Reader = fn(&str, usize) -> Option<Words>;

/// How each is recognised, in lower case. Within a line the first that fits counts: `permission
/// denied` says more than the `cannot open` around it.
const SIGNS: [(&[&str], Reader); 19] = [
    (&["address already in use", "address in use", "port is already allocated"], |line, at| {
        Some(Words::PortInUse(port(&line[..at])))
    }),
    (&["read-only file system"], |line, at| Some(Words::ReadOnly(path(&line[..at])))),
    (&["no space left on device", "disk quota exceeded"], |line, at| {
        Some(Words::DiskFull(path(&line[..at])))
    }),
    (&["too many open files", "no file descriptors available"], |_, _| Some(Words::OpenFiles)),
    (&["exec format error"], |_, _| Some(Words::NoProgram)),
    (&["password authentication failed", "access denied for user", "authentication failed"], |_, _| {
        Some(Words::Credentials)
    }),
    (&["is forbidden: user \""], |line, at| Some(Words::Rights(first(&RIGHT, &line[at..])))),
    (&["lock db directory", "could not acquire lock", "failed to obtain node lock"], |line, _| {
        Some(Words::Locked(path(line)))
    }),
    (&["permission denied", "operation not permitted", "eacces"], |line, at| {
        Some(Words::Denied(path(&line[..at])))
    }),
    (
        &[
            "unknown long flag",
            "unknown short flag",
            "unknown flag",
            "unknown shorthand flag",
            "unknown option",
        ],
        |line, at| Some(Words::UnknownFlag(first(&FLAG, &line[at..]))),
    ),
    (
        &["flag provided but not defined", "unrecognized option", "invalid option", "unexpected argument"],
        |line, at| Some(Words::UnknownFlag(first(&FLAG, &line[at..]))),
    ),
    (&["no such file or directory"], |line, at| path(&line[..at]).map(Words::NoFile)),
    (
        &["error loading config", "error parsing config", "failed to parse config", "invalid config"],
        |line, _| Some(Words::BadConfig(path(line))),
    ),
    (&["yaml: unmarshal", "yaml: line", "parsing yaml"], |line, _| Some(Words::BadConfig(path(line)))),
    (
        &["no such host", "bad address", "name or service not known", "could not resolve host", "enotfound"],
        |line, _| Some(Words::UnknownHost(first(&HOST, line))),
    ),
    (&["connection refused", "econnrefused"], |line, _| Some(Words::Refused(first(&ADDRESS, line)))),
    (&["i/o timeout", "connection timed out", "no route to host", "network is unreachable"], |line, _| {
        Some(Words::Unreachable(first(&ADDRESS, line)))
    }),
    (&["x509: ", "certificate has expired", "certificate verify failed"], |_, _| Some(Words::Certificate)),
    (&["cannot allocate memory", "outofmemoryerror", "heap out of memory"], |_, _| Some(Words::OutOfMemory)),
];

static COMMAND: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:\S*/)?(?:sh|bash|ash|dash)(?:: (?:line )?\d+)?: (?:exec: )?(?:line \d+: )?([^:\s]+): (?:command )?not found",
    )
});
static FLAG: LazyLock<Regex> = LazyLock::new(|| regex(r"(--?[A-Za-z0-9][\w.-]*)"));
static HOST: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"(?i)(?:lookup |bad address '|resolve host:? '?|host name "|enotfound )([A-Za-z0-9._-]+)"#)
});
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?i)(?:dial (?:tcp|udp) |econnrefused |failed to connect to |remote host \(|server at ")(\[[0-9a-f:]+\]:\d+|[A-Za-z0-9._-]+(?::\d+)?)"#,
    )
});
static RIGHT: LazyLock<Regex> = LazyLock::new(|| regex(r#"cannot (\w+ resource "[^"]+")"#));
static PATH: LazyLock<Regex> = LazyLock::new(|| regex(r#"(?:^|[\s'"=(])(/[^\s'":,;()]+)"#));
static PORT: LazyLock<Regex> = LazyLock::new(|| regex(r":(\d{1,5})\b"));

#[expect(clippy::expect_used, reason = "the patterns are constants, and each is used in a test")]
pub(super) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern")
}

fn first(pattern: &Regex, text: &str) -> Option<String> {
    pattern.captures(text).map(|found| found[1].to_owned())
}

fn last(pattern: &Regex, text: &str) -> Option<String> {
    pattern.captures_iter(text).last().map(|found| found[1].to_owned())
}

/// The path nearest to the end: programs begin with who speaks, and end with what about.
fn path(text: &str) -> Option<String> {
    last(&PATH, text)
}

fn port(text: &str) -> Option<String> {
    last(&PORT, text)
}

/// What the log's last words mean; the line nearest to the end that says something counts. None
/// where they say nothing that is known.
pub(super) fn understand(log: &str) -> Option<Words> {
    log.lines().rev().find_map(line)
}

fn line(line: &str) -> Option<Words> {
    let low = line.to_ascii_lowercase();
    if let Some(command) = first(&COMMAND, line) {
        return Some(Words::NoCommand(command));
    }
    if let Some(what) = line.strip_prefix("panic: ").or_else(|| line.strip_prefix("fatal error: ")) {
        return Some(Words::Panic(Some(what.trim().to_owned())));
    }
    if low.starts_with("traceback (most recent call last)") || low.starts_with("exception in thread") {
        return Some(Words::Panic(None));
    }
    SIGNS.iter().find_map(|(signs, words)| {
        let at = signs.iter().find_map(|sign| low.find(sign))?;
        words(line, at)
    })
}

impl Words {
    /// `port 9100 is in use already`: what follows a colon in a headline.
    pub fn sentence(&self) -> String {
        let of = |with: &str, value: &Option<String>, without: &str| match value {
            Some(value) => with.replace("{}", value),
            None => without.to_owned(),
        };
        match self {
            Self::PortInUse(port) => of("port {} is in use already", port, "its port is in use already"),
            Self::Denied(path) => {
                of("it may not use {} (permission denied)", path, "something is not permitted to it")
            }
            Self::ReadOnly(path) => {
                of("it cannot write {}: the file system is read-only", path, "a file system is read-only")
            }
            Self::DiskFull(path) => of("no space is left for {}", path, "no space is left on its volume"),
            Self::NoFile(path) => format!("{path} does not exist"),
            Self::OpenFiles => "it may not open as many files as it wants".to_owned(),
            Self::OutOfMemory => "it gets no more memory".to_owned(),
            Self::NoCommand(command) => format!("the command {command} does not exist in its image"),
            Self::NotExecutable(path) => format!("{path} may not be executed"),
            Self::NoProgram => "its command is no program for this node".to_owned(),
            Self::UnknownFlag(flag) => of("it does not know the flag {}", flag, "it does not know a flag"),
            Self::BadConfig(path) => {
                of("its configuration {} is not valid", path, "its configuration is not valid")
            }
            Self::UnknownHost(host) => {
                of("the name {} cannot be resolved", host, "a name cannot be resolved")
            }
            Self::Refused(address) => of("{} refuses connections", address, "a connection is refused"),
            Self::Unreachable(address) => of("{} cannot be reached", address, "an address cannot be reached"),
            Self::Certificate => "a certificate is not trusted".to_owned(),
            Self::Credentials => "its credentials are refused".to_owned(),
            Self::Rights(right) => {
                of("its ServiceAccount may not {}", right, "its ServiceAccount lacks a right")
            }
            Self::Locked(path) => of("another process holds the lock of {}", path, "its data is locked"),
            Self::Panic(what) => of("it panics: {}", what, "it ends with an error that nobody caught"),
        }
    }

    /// Will it say the same at the next start, whatever happens around it? Then a second time is enough.
    pub fn lasts(&self) -> bool {
        matches!(
            self,
            Self::Denied(Some(_))
                | Self::ReadOnly(_)
                | Self::NoCommand(_)
                | Self::NotExecutable(_)
                | Self::NoProgram
                | Self::UnknownFlag(_)
                | Self::BadConfig(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a program wrote, and what is made of it.
    const SAID: [(&str, &str); 47] = [
        // Go
        (
            "time=2026-01-02T03:04:05.649Z level=ERROR source=node_exporter.go:248 msg=\"listen tcp :9100: bind: address already in use\"",
            "port 9100 is in use already",
        ),
        (
            "level=ERROR source=query_logger.go:113 msg=\"Error opening query log file\" component=activeQueryTracker file=/prometheus/queries.active err=\"open /prometheus/queries.active: permission denied\"",
            "it may not use /prometheus/queries.active (permission denied)",
        ),
        (
            "msg=\"Error loading config (--config.file=/etc/p.yml)\" file=/etc/p.yml err=\"parsing YAML file /etc/p.yml: yaml: unmarshal errors:\\n  line 1: field nothing not found in type config.plain\"",
            "its configuration /etc/p.yml is not valid",
        ),
        (
            "msg=\"Error loading config (--config.file=/nothing.yml)\" file=/nothing.yml err=\"open /nothing.yml: no such file or directory\"",
            "/nothing.yml does not exist",
        ),
        (
            "node_exporter: error: unknown long flag '--nothing', try --help",
            "it does not know the flag --nothing",
        ),
        ("Error: unknown flag: --nothing", "it does not know the flag --nothing"),
        ("flag provided but not defined: -nothing", "it does not know the flag -nothing"),
        (
            "err=\"opening storage failed: lock DB directory: resource temporarily unavailable\"",
            "its data is locked",
        ),
        (
            "err=\"opening storage failed: open /data/wal/00000001: no space left on device\"",
            "no space is left for /data/wal/00000001",
        ),
        (
            "dial tcp: lookup loki-gateway on 10.96.0.10:53: no such host",
            "the name loki-gateway cannot be resolved",
        ),
        ("dial tcp 10.0.0.5:5432: connect: connection refused", "10.0.0.5:5432 refuses connections"),
        ("dial tcp [::1]:5432: connect: connection refused", "[::1]:5432 refuses connections"),
        ("Get \"https://10.0.0.1/\": dial tcp 10.0.0.1:443: i/o timeout", "10.0.0.1:443 cannot be reached"),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "a certificate is not trusted",
        ),
        (
            "pods is forbidden: User \"system:serviceaccount:o:obs-ksm\" cannot list resource \"pods\" in API group \"\" at the cluster scope",
            "its ServiceAccount may not list resource \"pods\"",
        ),
        ("accept4: too many open files", "it may not open as many files as it wants"),
        (
            "panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation]\n\ngoroutine 1 [running]:\nmain.main()",
            "it panics: runtime error: invalid memory address or nil pointer dereference",
        ),
        (
            "fatal error: all goroutines are asleep - deadlock!",
            "it panics: all goroutines are asleep - deadlock!",
        ),
        // busybox and the shell
        ("httpd: bind: Address already in use", "its port is in use already"),
        ("touch: /data/file: Permission denied", "it may not use /data/file (permission denied)"),
        ("sh: can't create /data/x: Permission denied", "it may not use /data/x (permission denied)"),
        (
            "touch: /var/file: Read-only file system",
            "it cannot write /var/file: the file system is read-only",
        ),
        (
            "mkdir: can't create directory '/var/x': Read-only file system",
            "it cannot write /var/x: the file system is read-only",
        ),
        (
            "dd: error writing '/data/file': No space left on device\n17+0 records in\n16+0 records out",
            "no space is left for /data/file",
        ),
        ("cat: can't open '/etc/x': No such file or directory", "/etc/x does not exist"),
        ("cat: can't open '/etc/passwd': Too many open files", "it may not open as many files as it wants"),
        ("wget: bad address 'nobody.example'", "the name nobody.example cannot be resolved"),
        (
            "Connecting to 127.0.0.1:1 (127.0.0.1:1)\nwget: can't connect to remote host (127.0.0.1): Connection refused",
            "127.0.0.1 refuses connections",
        ),
        ("sh: nothing: not found", "the command nothing does not exist in its image"),
        ("/bin/sh: 1: nothing: not found", "the command nothing does not exist in its image"),
        ("bash: line 1: nothing: command not found", "the command nothing does not exist in its image"),
        ("exec /files/run: exec format error", "its command is no program for this node"),
        ("httpd: unrecognized option: z", "it does not know a flag"),
        // others
        (
            "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
            "port 80 is in use already",
        ),
        ("OSError: [Errno 98] Address already in use", "its port is in use already"),
        (
            "nginx: [emerg] mkdir() \"/var/cache/nginx/x\" failed (13: Permission denied)",
            "it may not use /var/cache/nginx/x (permission denied)",
        ),
        ("curl: (6) Could not resolve host: nobody.example", "the name nobody.example cannot be resolved"),
        (
            "curl: (7) Failed to connect to 10.0.0.1 port 80: Connection refused",
            "10.0.0.1 refuses connections",
        ),
        ("Error: getaddrinfo ENOTFOUND db", "the name db cannot be resolved"),
        ("Error: connect ECONNREFUSED 10.0.0.5:6379", "10.0.0.5:6379 refuses connections"),
        (
            "psql: error: could not translate host name \"db\" to address: Name or service not known",
            "the name db cannot be resolved",
        ),
        (
            "connection to server at \"10.0.0.5\", port 5432 failed: Connection refused",
            "10.0.0.5 refuses connections",
        ),
        ("FATAL: password authentication failed for user \"grafana\"", "its credentials are refused"),
        ("java.lang.OutOfMemoryError: Java heap space", "it gets no more memory"),
        (
            "Exception in thread \"main\" java.lang.IllegalStateException: x",
            "it ends with an error that nobody caught",
        ),
        (
            "Traceback (most recent call last):\n  File \"x.py\", line 1\nKeyError: 'x'",
            "it ends with an error that nobody caught",
        ),
        ("connect to 10.0.0.9: No route to host", "an address cannot be reached"),
    ];

    #[test]
    fn programs_say_it_in_many_ways() {
        for (said, expected) in SAID {
            assert_eq!(understand(said).map(|words| words.sentence()), Some(expected.to_owned()), "{said}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        for said in ["", "cannot open the config", "no table", "GET /bind: 200", "error: bad things happened"]
        {
            assert_eq!(understand(said), None, "{said}");
        }
    }

    #[test]
    fn what_comes_last_counts() {
        let log = "dial tcp 10.0.0.5:5432: connect: connection refused\nopen /etc/x: no such file or directory\nbye";
        assert_eq!(understand(log), Some(Words::NoFile("/etc/x".into())));
    }

    #[test]
    fn only_what_nothing_around_it_changes_lasts() {
        let lasts = |said: &str| understand(said).is_some_and(|words| words.lasts());
        for said in ["Error: unknown flag: --x", "touch: /x: Read-only file system", "sh: x: not found"] {
            assert!(lasts(said), "{said}");
        }
        for said in
            ["wget: bad address 'db'", "connect ECONNREFUSED 10.0.0.5:1", "bind: address already in use"]
        {
            assert!(!lasts(said), "{said}");
        }
    }
}
