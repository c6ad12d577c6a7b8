//! Addresses as they may be shown: without user names, passwords, tokens and signatures. What is no address
//! by the rules is treated with care: whoever mistyped one meant it with its password. Pure.

/// An address that somebody typed or configured.
pub fn shown(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, url),
    };
    let rest = host_on(rest, scheme.is_some());
    // a query may hold a signature; a digest behind it says which file is meant
    let rest = match rest.split_once('?') {
        Some((before, query)) => {
            let digest = query.rfind("#sha256:").map_or("", |at| &query[at..]);
            format!("{before}{digest}")
        }
        None => rest.to_owned(),
    };
    let rest = without_strange_port(&rest);
    match scheme {
        Some(scheme) => format!("{scheme}://{rest}"),
        None => rest,
    }
}

/// An argument as it was typed: an address, if it looks like one.
pub fn argument(text: &str) -> String {
    if text.contains("://") || text.contains('@') { shown(text) } else { text.to_owned() }
}

/// An address that was reached, so that its parts stand where the rules say: to be recorded.
pub fn reached(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or(url);
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let user = authority(rest).rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[user..])
}

/// Does a parsed address name a host, and nothing that was meant to stand before it? The parser takes a
/// slash in a password for the beginning of the path.
pub fn well_formed(uri: &http::Uri) -> bool {
    let port_is_one = |authority: &http::uri::Authority| {
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        host.rsplit(']').next().is_none_or(|behind| !behind.contains(':')) || authority.port_u16().is_some()
    };
    uri.host().is_some_and(|host| !host.is_empty())
        && uri.authority().is_some_and(port_is_one)
        && uri.path_and_query().is_none_or(|path| !path.as_str().contains('@'))
}

/// From the host on. In `user:pass/word@host` the slash is part of the password, whatever the rules say; in
/// `host/a@b` the sign is part of the path.
fn host_on(rest: &str, with_scheme: bool) -> &str {
    let Some(at) = rest.match_indices('@').map(|(at, _)| at).rfind(|at| !is_digest(&rest[at + 1..])) else {
        return rest;
    };
    let authority = authority(rest);
    let suspicious = match with_scheme && !authority.is_empty() {
        true => authority.contains(['@', ':']),
        false => rest[..at].contains(':'),
    };
    if suspicious { &rest[at + 1..] } else { rest }
}

/// `name@sha256:…` names an image.
fn is_digest(text: &str) -> bool {
    text.starts_with("sha256:")
}

fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// `user:password` without a host: what stands where a port should be is not shown unless it is one.
fn without_strange_port(rest: &str) -> String {
    let authority = authority(rest);
    match authority.split_once(':') {
        Some((host, port)) if !host.starts_with('[') && !port.chars().all(|c| c.is_ascii_digit()) => {
            format!("{host}:***{}", &rest[authority.len()..])
        }
        _ => rest.to_owned(),
    }
}

/// A text in which addresses may stand, such as the message of a library: the same for each of them.
pub fn scrubbed(text: &str) -> String {
    if !text.contains("://") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        let Some(colon) = word.find("://") else {
            out.push_str(word);
            continue;
        };
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let begin = word[..colon].rfind(|c| !is_scheme(c)).map_or(0, |at| at + 1);
        let begin = (begin..=colon).find(|at| word.is_char_boundary(*at)).unwrap_or(colon);
        let url = word[begin..].trim_end_matches(|c: char| c.is_whitespace() || "\"'`,;:.)]}>…".contains(c));
        let behind = &word[begin + url.len()..];
        let rest = &url[colon - begin + 3..];
        // most have nothing to hide
        if rest.contains(['@', '?']) {
            out.push_str(&format!("{}{}{behind}", &word[..begin], shown(url)));
        } else {
            out.push_str(word);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (url, expected) in [
            ("https://user:pw@host/x.tgz#sha256:1", "https://host/x.tgz#sha256:1"),
            ("https://host/a@b", "https://host/a@b"),
            ("https://u:p@ss@host", "https://host"),
            ("https://host/x?sig=abc#sha256:1", "https://host/x#sha256:1"),
            ("https://host/x?sig=abc#frag", "https://host/x"),
            ("https://token@host:8443/x", "https://host:8443/x"),
            ("https://[::1]:6443", "https://[::1]:6443"),
            ("https://registry/x@sha256:abc", "https://registry/x@sha256:abc"),
            ("./path", "./path"),
            ("./pkg@1.0/x.tgz", "./pkg@1.0/x.tgz"),
            ("proxy:3128", "proxy:3128"),
            // not well formed
            ("bob:hunter2@proxy:3128", "proxy:3128"),
            ("https://bob:hun/ter2@host/x", "https://host/x"),
            ("https://bob:hun?ter2@host/x", "https://host/x"),
            ("https://bob:hun#ter2@host/x", "https://host/x"),
            ("https://bob:hunter2", "https://bob:***"),
            ("https:/bob:hunter2@host", "host"),
            ("https//bob:hunter2@host", "host"),
            ("https:bob:hunter2@host", "host"),
            ("https:///bob:hunter2@host", "https://host"),
            ("://bob:hunter2@host", "://host"),
            ("ftp://bob:hunter2@p:1", "ftp://p:1"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
            assert!(!shown(url).contains("ter2"), "{url}");
        }
    }

    #[test]
    fn what_was_reached_keeps_its_path() {
        assert_eq!(reached("https://u:p@host:8443/a@1/x.tgz?sig=a#sha256:1"), "https://host:8443/a@1/x.tgz");
        assert_eq!(reached("https://host:8443/a@1/x.tgz"), "https://host:8443/a@1/x.tgz");
    }

    #[test]
    fn texts_keep_all_but_what_is_secret() {
        for (text, expected) in [
            ("nothing: at all", "nothing: at all"),
            (
                "see https://example.com/a/b, or http://proxy.example.com:3128.",
                "see https://example.com/a/b, or http://proxy.example.com:3128.",
            ),
            ("bad uri \"https://u:hunter2@h/x\": no", "bad uri \"https://h/x\": no"),
            ("(https://h/x?X-Amz-Signature=hunter2)\n  next", "(https://h/x)\n  next"),
            (
                "Uri(https://u:hunter2@h), https://…#sha256:<digest>",
                "Uri(https://h), https://…#sha256:<digest>",
            ),
            ("ü://u:hunter2@h", "ü://h"),
        ] {
            assert_eq!(scrubbed(text), expected);
        }
    }
}
