//! Who runs this process: what records and locks say about it.

/// `alice@build-7`: the login name and the host's name.
pub fn who() -> String {
    format!("{}@{}", user(), host())
}

/// The host's name.
pub fn host() -> String {
    Some(host_name()).filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown-host".to_owned())
}

fn user() -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(user_id)
}

/// Containers and cron jobs often run without `USER`.
#[cfg(unix)]
fn user_id() -> String {
    let uid = rustix::process::getuid();
    if uid.is_root() { "root".to_owned() } else { format!("uid-{uid}") }
}

#[cfg(not(unix))]
fn user_id() -> String {
    "unknown".to_owned()
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}
