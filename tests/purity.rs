//! The pure core has no async, no I/O, no clock, no randomness, no kube client and no way up to the
//! parts that have (design: invariant 1). This reads its source and names file and line of what
//! would break that.
//!
//! Not seen: what a macro expands to, and a forbidden path behind a type alias of another module.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The pure core, below `src/`.
const CORE: [&str; 14] = [
    "escape",
    "url",
    "json",
    "yaml",
    "values",
    "bundle",
    "render",
    "object",
    "plan",
    "readiness",
    "release",
    "diff",
    "doctor",
    "search",
];

/// Paths that the core may not name, with everything below them.
const FORBIDDEN: [(&str, &str); 19] = [
    ("std::fs", "I/O"),
    ("std::io", "I/O"),
    ("std::env", "I/O"),
    ("std::net", "I/O"),
    ("std::os", "I/O"),
    ("std::process", "I/O"),
    ("std::thread", "threads"),
    ("std::time", "a clock"),
    ("tokio", "async"),
    ("futures", "async"),
    ("kube", "the kube client"),
    ("ureq", "I/O"),
    ("reqwest", "I/O"),
    ("rand", "randomness"),
    ("getrandom", "randomness"),
    ("crate::cluster", "an upper layer"),
    ("crate::ops", "an upper layer"),
    ("crate::commands", "an upper layer"),
    ("crate::ui", "an upper layer"),
];

/// Exceptions: types and traits that do nothing by themselves. The I/O traits serve codecs that
/// read from and write to memory; nothing else that implements them can be named here.
const ALLOWED: [&str; 12] = [
    "std::io::Read",
    "std::io::BufRead",
    "std::io::Write",
    "std::io::Seek",
    "std::io::BufReader",
    "std::io::BufWriter",
    "std::io::Cursor",
    "std::io::Take",
    "std::io::Error",
    "std::io::ErrorKind",
    "std::io::Result",
    "std::time::Duration",
];

const MACROS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

#[test]
fn the_core_is_pure() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut findings = Vec::new();
    let mut scanned = 0;
    for module in CORE {
        let mut files = Vec::new();
        rust_files(&src.join(module), &mut files);
        files.extend(Some(src.join(format!("{module}.rs"))).filter(|path| path.is_file()));
        assert!(!files.is_empty(), "src/{module} is gone: correct CORE in {}", file!());
        let sources: Vec<(PathBuf, String)> =
            files.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect();
        let exempt: Vec<PathBuf> = sources.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
        for (path, text) in &sources {
            // `tests` covers src/x/tests.rs and src/x/tests/…
            if exempt.iter().any(|test| path.starts_with(test) || path.with_extension("") == *test) {
                continue;
            }
            scanned += 1;
            let name = path.strip_prefix(&src).unwrap_or(path).display().to_string();
            findings.extend(scan(text).iter().map(|(line, what)| format!("src/{name}:{line}: {what}")));
        }
    }
    assert!(scanned >= CORE.len(), "only {scanned} files were read");
    assert!(findings.is_empty(), "\nthe pure core is not pure:\n  {}\n", findings.join("\n  "));
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Where the files of `#[cfg(test)] mod x;` are, without extension.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let folder = match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod") => path.parent().unwrap_or(path).to_path_buf(),
        _ => path.with_extension(""),
    };
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let end = test_item(&tokens, at);
        let words: Vec<&str> = tokens[at..end].iter().map(|token| token.text.as_str()).collect();
        if let [.., "mod", name, ";"] = words.as_slice() {
            found.push(folder.join(name));
        }
        at = end.max(at + 1);
    }
    found
}

/// What is impure in a source file: line and words.
fn scan(text: &str) -> Vec<(usize, String)> {
    let tokens = tokens(text);
    let mut findings = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let end = test_item(&tokens, at);
        if end > at {
            at = end;
            continue;
        }
        let Token { text, line } = &tokens[at];
        let next = tokens.get(at + 1).map(|token| token.text.as_str());
        let back = |n: usize| at.checked_sub(n).map(|before| tokens[before].text.as_str());
        // `::std::fs` begins at the root: nothing stands before its colons that they could belong to.
        let rooted =
            back(1) == Some("::") && back(2).is_none_or(|t| is_keyword(t) || !is_word(t) && t != ">");
        let before = back(if rooted { 2 } else { 1 });
        if text == "async" || text == "await" {
            findings.push((*line, text.clone()));
        } else if MACROS.contains(&text.as_str()) && next == Some("!") {
            findings.push((*line, format!("{text}!")));
        } else if is_word(text)
            && !is_keyword(text)
            && (rooted || before != Some("::"))
            && before != Some(".")
        {
            // A path, with all its branches if it is the tree of a `use`.
            let mut paths = Vec::new();
            let in_use = before == Some("use");
            at = expand(&tokens, at, String::new(), in_use, &mut paths);
            findings.extend(paths.iter().filter_map(|(line, path)| Some((*line, judge(path)?))));
            continue;
        }
        at += 1;
    }
    findings
}

/// Why a path may not be in the core.
fn judge(path: &str) -> Option<String> {
    let within = |prefix: &str| {
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    if path.ends_with("::now") || path.contains("::now::") {
        return Some(format!("{path} (a clock)"));
    }
    if ALLOWED.iter().any(|allowed| within(allowed)) {
        return None;
    }
    let (_, why) = FORBIDDEN.iter().find(|(forbidden, _)| within(forbidden))?;
    Some(format!("{path} ({why})"))
}

/// Reads a path that begins at `at` and returns where it ends. `a::{b, c::d}` gives two paths.
fn expand(
    tokens: &[Token],
    mut at: usize,
    prefix: String,
    tree: bool,
    paths: &mut Vec<(usize, String)>,
) -> usize {
    let mut path = prefix;
    let mut line = tokens[at].line;
    while let Some(token) = tokens.get(at) {
        if token.text == "{" && tree && (path.ends_with("::") || path.is_empty()) {
            at += 1;
            while let Some(token) = tokens.get(at) {
                match token.text.as_str() {
                    "}" => return at + 1,
                    "," => at += 1,
                    _ => at = expand(tokens, at, path.clone(), true, paths).max(at + 1),
                }
            }
            return at;
        }
        if !is_word(&token.text) && token.text != "*" {
            break;
        }
        line = token.line;
        match token.text.as_str() {
            // `use std::io::{self, Read}` names std::io itself
            "self" if path.ends_with("::") => path.truncate(path.len() - 2),
            word => path.push_str(word),
        }
        at += 1;
        if tokens.get(at).is_some_and(|token| token.text == "::") {
            path.push_str("::");
            at += 1;
        } else {
            break;
        }
    }
    if tree && tokens.get(at).is_some_and(|token| token.text == "as") {
        at += 2;
    }
    paths.push((line, path.trim_end_matches("::").to_owned()));
    at
}

/// The end of the item that `#[cfg(test)]` at `at` is for; `at` itself if there is none.
fn test_item(tokens: &[Token], at: usize) -> usize {
    let attribute = ["#", "[", "cfg", "(", "test", ")", "]"];
    let here = tokens[at..].iter().map(|token| token.text.as_str()).take(attribute.len());
    if !here.eq(attribute) {
        return at;
    }
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(at + attribute.len()) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth -= 1;
                if depth == 0 && token.text == "}" {
                    return i + 1;
                }
            }
            ";" if depth == 0 => return i + 1,
            _ => {}
        }
    }
    tokens.len()
}

struct Token {
    text: String,
    line: usize,
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words after which a path may begin with `::`.
fn is_keyword(text: &str) -> bool {
    ["use", "return", "in", "if", "else", "match", "while", "as", "dyn", "impl", "mut", "ref"].contains(&text)
}

/// Words, `::` and single characters; comments and literals are left out.
fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < chars.len() {
        let start = at;
        let rest = &chars[at..];
        match rest {
            ['/', '/', ..] => at += length(rest, |c| c != '\n'),
            ['/', '*', ..] => at += block_comment(rest),
            ['"', ..] => at += string(rest),
            ['r' | 'b' | 'c', ..] if raw_string(rest).is_some() => at += raw_string(rest).unwrap_or(1),
            // a character, not a lifetime
            ['\'', '\\', ..] => at += 2 + length(&rest[2..], |c| c != '\'').max(1) + 1,
            ['\'', _, '\'', ..] => at += 3,
            [':', ':', ..] => {
                tokens.push(Token { text: "::".into(), line });
                at += 2;
            }
            [c, ..] if c.is_alphanumeric() || *c == '_' => {
                at += length(rest, |c| c.is_alphanumeric() || c == '_');
                tokens.push(Token { text: chars[start..at].iter().collect(), line });
            }
            [c, ..] => {
                if !c.is_whitespace() {
                    tokens.push(Token { text: c.to_string(), line });
                }
                at += 1;
            }
            [] => {}
        }
        at = at.min(chars.len());
        line += chars[start..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn length(chars: &[char], more: impl Fn(char) -> bool) -> usize {
    chars.iter().take_while(|c| more(**c)).count()
}

fn block_comment(chars: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < chars.len() {
        match &chars[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(chars: &[char]) -> usize {
    let mut at = 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// `r"…"`, `br#"…"#`, `b"…"`, `c"…"`: its length, or None if a word begins here.
fn raw_string(chars: &[char]) -> Option<usize> {
    let prefix = length(chars, |c| matches!(c, 'r' | 'b' | 'c'));
    let raw = chars[..prefix].contains(&'r');
    let hashes = length(&chars[prefix..], |c| c == '#');
    if prefix > 2 || chars.get(prefix + hashes) != Some(&'"') || (!raw && hashes > 0) {
        return None;
    }
    if !raw {
        return Some(prefix + string(&chars[prefix..]));
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = prefix + hashes + 1;
    let found = chars[body..].windows(end.len()).position(|window| window == end);
    Some(found.map_or(chars.len(), |found| body + found + end.len()))
}

#[test]
fn the_scanner_finds_what_is_impure() {
    for (source, expected) in [
        ("async fn f() {}", "1: async"),
        ("fn f() {\n    g().await;\n}", "2: await"),
        ("use std::fs;", "1: std::fs (I/O)"),
        ("use std::fs::File;", "1: std::fs::File (I/O)"),
        ("use std::{collections::BTreeMap,\n    env, fmt};", "2: std::env (I/O)"),
        ("use std::{io::{self, Read}, fmt};", "1: std::io (I/O)"),
        ("use std::io::{Read, stdin};", "1: std::io::stdin (I/O)"),
        ("use std::io::*;", "1: std::io::* (I/O)"),
        ("use std::net as n;", "1: std::net (I/O)"),
        ("pub(crate) use tokio::sync::Mutex;", "1: tokio::sync::Mutex (async)"),
        ("fn f() { std::thread::sleep(d) }", "1: std::thread::sleep (threads)"),
        ("fn f() { let x = ::std::process::id(); }", "1: std::process::id (I/O)"),
        ("use ::std::{fmt, fs};", "1: std::fs (I/O)"),
        ("fn f() -> std::time::Instant { x }", "1: std::time::Instant (a clock)"),
        ("fn f() { jiff::Timestamp::now() }", "1: jiff::Timestamp::now (a clock)"),
        ("fn f() { Zoned::now().date() }", "1: Zoned::now (a clock)"),
        ("fn f() { x.map(Timestamp::now) }", "1: Timestamp::now (a clock)"),
        ("fn f() -> [u8; 32] { rand::random() }", "1: rand::random (randomness)"),
        ("use kube::Client;", "1: kube::Client (the kube client)"),
        ("use crate::{error::Error, cluster::Client};", "1: crate::cluster::Client (an upper layer)"),
        ("use crate::ui;", "1: crate::ui (an upper layer)"),
        ("fn f() { println!(\"x\") }", "1: println!"),
        ("fn f() { dbg!(x); }", "1: dbg!"),
        ("/* a /* b */ */ use std::fs;", "1: std::fs (I/O)"),
        ("const A: &str = \"\\\"\";\nuse std::fs;", "2: std::fs (I/O)"),
        ("const A: char = '\"';\nuse std::fs;", "2: std::fs (I/O)"),
        ("const A: char = '\\'';\nuse std::fs;", "2: std::fs (I/O)"),
        ("fn f<'a>(x: &'a str) { std::env::var(x) }", "1: std::env::var (I/O)"),
        ("const A: &str = r#\"\"\"#;\nuse std::fs;", "2: std::fs (I/O)"),
        ("#[cfg(test)]\nmod tests {\n    fn f() {}\n}\nuse std::fs;", "5: std::fs (I/O)"),
        ("#[cfg(test)]\nmod tests;\nuse std::fs;", "3: std::fs (I/O)"),
        ("#[cfg(not(test))]\nmod a { use std::fs; }", "2: std::fs (I/O)"),
    ] {
        let found: Vec<String> = scan(source).iter().map(|(line, what)| format!("{line}: {what}")).collect();
        assert_eq!(found, [expected], "{source}");
    }
}

#[test]
fn the_scanner_lets_pure_code_pass() {
    for source in [
        "//! std::fs and async\n/// println!(\"x\")\nfn f() {}",
        "fn f() { g(\"std::fs::read\", r#\"tokio \" \"#, b\"async\", 'a') }",
        "use std::{collections::BTreeMap, fmt};\nuse std::io::{Read, Write};",
        "fn f(w: &mut dyn std::io::Write) -> std::io::Result<()> { x }",
        "use std::time::Duration;",
        "use crate::{error::Error, yaml};",
        "fn f() { my::kube::x(); values.rand; self.now(); knowledge::know() }",
        "#[cfg(test)]\nmod tests {\n    use std::fs;\n    async fn f() { println!(\"}\"); }\n}",
        "#[cfg(test)]\n#[allow(unused)]\nuse std::fs;\nfn f() {}",
        "#[cfg(test)]\nfn f(a: [u8; 3]) { std::env::args(); }\nfn g() {}",
    ] {
        assert_eq!(scan(source), [], "{source}");
    }
}

#[test]
fn files_of_test_modules_are_known() {
    let found = |path: &str, text: &str| test_modules(Path::new(path), text);
    assert_eq!(found("src/values/mod.rs", "#[cfg(test)]\nmod tests;"), [Path::new("src/values/tests")]);
    assert_eq!(found("src/yaml.rs", "mod a;\n#[cfg(test)]\nmod tests;"), [Path::new("src/yaml/tests")]);
    assert!(found("src/yaml.rs", "mod tests;\n#[cfg(test)]\nmod inline { }").is_empty());
}
