//! Why an image cannot be pulled, from the sentences of containerd, CRI-O and Docker.

/// The reason in a few words: `not found`, `access denied`, …
pub(super) fn reason(message: &str, kubelet_reason: &str) -> String {
    match kubelet_reason {
        "InvalidImageName" => return "the name is not valid".to_owned(),
        "ErrImageNeverPull" => return "it is not on the node and imagePullPolicy is Never".to_owned(),
        _ => {}
    }
    if let Some((_, words)) = known(message) {
        return words.to_owned();
    }
    // Runtimes wrap the cause in sentences: what stands last is the cause.
    let cause = message.trim().trim_end_matches('.').rsplit(": ").next().unwrap_or_default();
    if cause.is_empty() || cause.starts_with("Back-off") {
        "the registry did not deliver it".to_owned()
    } else {
        cause.lines().next().unwrap_or_default().to_owned()
    }
}

/// Does waiting not help?
pub(super) fn is_hopeless(message: &str, kubelet_reason: &str) -> bool {
    matches!(kubelet_reason, "InvalidImageName" | "ErrImageNeverPull")
        || known(message).is_some_and(|(hopeless, _)| hopeless)
}

/// Pulls that failed one after the other because the registry's name does not exist: the kubelet's
/// back-off puts two and a half minutes between the first and the last. By then it is no slip of DNS.
const RESOLVED_NEVER: u64 = 5;

/// The same for a pull that failed this many times: the answer that a name does not exist is believed
/// when it is given again and again, silence of a registry never.
pub(super) fn is_hopeless_by_now(message: &str, times: u64) -> bool {
    message.contains("no such host") && times >= RESOLVED_NEVER
}

/// (hopeless, words), by what the message contains; the order matters: a name that cannot be
/// resolved is also "not found", Docker Hub answers "denied" for an image that does not exist.
fn known(message: &str) -> Option<(bool, &'static str)> {
    const KNOWN: [(&str, bool, &str); 19] = [
        ("toomanyrequests", false, "the registry limits the rate of pulls"),
        ("429 Too Many Requests", false, "the registry limits the rate of pulls"),
        ("no such host", false, "the registry's name cannot be resolved"),
        ("dial tcp: lookup ", false, "the node's DNS does not resolve the registry's name"),
        ("connection refused", false, "the registry refuses connections"),
        ("i/o timeout", false, "the registry does not answer"),
        ("deadline exceeded", false, "the registry does not answer in time"),
        ("no route to host", false, "the registry cannot be reached"),
        ("x509:", true, "the registry's certificate is not trusted"),
        ("server gave HTTP response to HTTPS client", true, "the registry speaks plain HTTP"),
        ("no match for platform", true, "there is none for this node's platform"),
        ("no space left on device", false, "the node's disk is full"),
        ("authorization failed", true, "access denied: it does not exist, or needs a pull secret"),
        ("unauthorized", true, "access denied: it does not exist, or needs a pull secret"),
        ("401 Unauthorized", true, "access denied: it does not exist, or needs a pull secret"),
        ("denied", true, "access denied: it does not exist, or needs a pull secret"),
        ("403 Forbidden", true, "access denied: it does not exist, or needs a pull secret"),
        ("manifest unknown", true, "not found"),
        ("not found", true, "not found"),
    ];
    KNOWN.iter().find(|(text, ..)| message.contains(text)).map(|(_, hopeless, words)| (*hopeless, *words))
}
