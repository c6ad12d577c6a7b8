//! Bundles from https addresses: the plugin and a server that does what servers do. Whom the
//! plugin trusts is told by SSL_CERT_FILE, as Linux programs are told.

#![cfg(target_os = "linux")]
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and the support code says what it kept"
)]

use std::net::TcpListener;
use std::time::{Duration, Instant};

use https::server::{Answer, Server};
use insta::assert_snapshot;
use kubectl_obs::ops::download;
use support::process::Output;
use support::transcript::transcript;
use ureq::tls::{Certificate, RootCerts};

mod https {
    pub(crate) mod server;
}
mod support;

/// `sha256:` of nothing that is served.
const OTHER: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// A home with a packed bundle, and a server that has it at `/x.tgz`.
struct Place {
    home: tempfile::TempDir,
    server: Server,
    /// `sha256:…` of the bundle.
    digest: String,
}

impl Place {
    /// `others` answers for every other path.
    fn new(others: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let small = support::plugin::fixture("bundles/small");
        let packed = support::plugin::obs(home.path(), ["bundle", "package", &small]).run().ok().stdout;
        let digest = packed.lines().last().expect("the digest").to_owned();
        let bytes = std::fs::read(home.path().join("small-1.0.0.tgz")).expect("the archive");
        let server = Server::start(move |path| match path {
            "/x.tgz" => Answer::Body(bytes.clone()),
            other => others(other),
        });
        Self { home, server, digest }
    }

    /// `template` of an address on the server.
    fn run(&self, path: &str, digest: &str) -> Output {
        let url = format!("{}#{digest}", self.server.url(path));
        support::plugin::obs(self.home.path(), ["template", &url])
            .env("SSL_CERT_FILE", self.server.authority_file(self.home.path()))
            .run()
    }

    fn transcript(&self, output: &Output) -> String {
        transcript(output, &[(&self.server.address.to_string(), "[server]")])
    }
}

fn nothing_else(_: &str) -> Answer {
    Answer::Status(404)
}

#[test]
fn a_bundle_from_an_address_is_the_bundle() {
    let place = Place::new(nothing_else);
    let output = place.run("/x.tgz", &place.digest).ok();
    let file = support::plugin::obs(place.home.path(), ["template", "./small-1.0.0.tgz"]).run().ok();
    assert_eq!((output.stdout, output.stderr), (file.stdout, file.stderr));
}

#[test]
fn another_digest_is_refused() {
    let place = Place::new(nothing_else);
    let output = place.run("/x.tgz", OTHER);
    let text = place.transcript(&output).replace(&place.digest, "[digest]");
    assert_snapshot!(text, @"
    exit code: 2
    --- stdout
    --- stderr
    error: https://[server]/x.tgz: the file has another digest
      expected sha256:0000000000000000000000000000000000000000000000000000000000000000
      got      [digest]
      hint: the file was replaced or damaged on its way; do not use it before you know why
    ");
}

#[test]
fn a_redirect_to_https_is_followed() {
    let target = Place::new(nothing_else);
    let place = Place::new(|path| match path {
        "/latest" => Answer::Redirect("/x.tgz".into()),
        _ => Answer::Status(404),
    });
    place.run("/latest", &place.digest).ok().prints("kind: Deployment");
    // the other server's authority is not one that this run trusts
    let to = target.server.url("/x.tgz");
    let place = Place::new(move |_| Answer::Redirect(to.clone()));
    place.run("/away", &place.digest).ends(1).says("its certificate is signed by an unknown authority");
}

#[test]
fn a_redirect_to_http_is_refused() {
    let place = Place::new(|_| Answer::Redirect("http://127.0.0.1:1/x.tgz?signature=hunter2".into()));
    let output = place.run("/latest", &place.digest);
    assert_snapshot!(place.transcript(&output), @"
    exit code: 1
    --- stdout
    --- stderr
    error: https://[server]/latest: cannot be downloaded: it redirects to http, which is not encrypted
      hint: check address and proxy, or download it by other means and give the file
    ");
}

#[test]
fn redirects_without_end_are_refused() {
    let place = Place::new(|path| Answer::Redirect(format!("{path}x")));
    let output = place.run("/a", &place.digest);
    assert_snapshot!(place.transcript(&output), @"
    exit code: 1
    --- stdout
    --- stderr
    error: https://[server]/a: cannot be downloaded: it redirects more than 5 times
      hint: check address and proxy, or download it by other means and give the file
    ");
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused() {
    let (place, other) = (Place::new(nothing_else), Server::start(nothing_else));
    let url = format!("{}#{}", place.server.url("/x.tgz"), place.digest);
    let output = support::plugin::obs(place.home.path(), ["template", &url])
        .env("SSL_CERT_FILE", other.authority_file(place.home.path()))
        .run();
    assert_snapshot!(place.transcript(&output), @"
    exit code: 1
    --- stdout
    --- stderr
    error: https://[server]/x.tgz: cannot be downloaded: its certificate is signed by an unknown authority
      hint: SSL_CERT_FILE names a file with other authorities than those of this machine; or download it by other means and give the file
    ");
}

#[test]
fn a_name_that_the_certificate_is_not_for_is_refused() {
    let place = Place::new(nothing_else);
    let url = format!("https://localhost:{}/x.tgz#{}", place.server.address.port(), place.digest);
    let output = support::plugin::obs(place.home.path(), ["template", &url])
        .env("SSL_CERT_FILE", place.server.authority_file(place.home.path()))
        .run();
    output.ends(1).says("its certificate is for 127.0.0.1, not for this address");
}

#[test]
fn a_file_that_is_not_there() {
    let place = Place::new(nothing_else);
    assert_snapshot!(place.transcript(&place.run("/y.tgz", &place.digest)), @"
    exit code: 1
    --- stdout
    --- stderr
    error: https://[server]/y.tgz: cannot be downloaded: the server answers 404 Not Found
      hint: check address and proxy, or download it by other means and give the file
    ");
}

#[test]
fn a_file_that_is_too_large() {
    let place = Place::new(|path| Answer::Endless(path == "/told"));
    assert_snapshot!(place.transcript(&place.run("/told", &place.digest)), @"
    exit code: 1
    --- stdout
    --- stderr
    error: https://[server]/told: cannot be downloaded: it is larger than 64 MiB
      hint: check address and proxy, or download it by other means and give the file
    ");
    place.run("/untold", &place.digest).ends(1).says("cannot be downloaded: it is larger than 64 MiB");
}

#[test]
fn a_connection_that_breaks() {
    let place = Place::new(|_| Answer::Cut);
    assert_snapshot!(place.transcript(&place.run("/y.tgz", &place.digest)), @"
    exit code: 1
    --- stdout
    --- stderr
    error: https://[server]/y.tgz: cannot be downloaded: the connection was closed before all of it had come
      hint: check address and proxy, or download it by other means and give the file
    ");
}

#[test]
fn nobody_there() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let output =
        support::plugin::obs(home.path(), ["template", &format!("https://127.0.0.1:1/x.tgz#{OTHER}")]).run();
    output.ends(1).says("https://127.0.0.1:1/x.tgz: cannot be downloaded: connection refused");
}

#[test]
fn credentials_in_an_address_are_not_shown() {
    let place = Place::new(nothing_else);
    let address = place.server.address;
    let url = format!("https://alice:hunter2@{address}/y.tgz?signature=hunter2#{OTHER}");
    let output = support::plugin::obs(place.home.path(), ["template", &url])
        .env("SSL_CERT_FILE", place.server.authority_file(place.home.path()))
        .run()
        .ends(1);
    assert!(!output.to_string().replace(&output.line, "").contains("hunter2"), "{output}");
}

/// With less patience than the plugin has.
#[test]
fn a_server_that_hangs_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let stalled = Server::start(|_| Answer::Stall);
    let roots = || RootCerts::new_with_certs(&[Certificate::from_der(&stalled.authority).to_owned()]);
    let silent = format!("https://{}/x.tgz", silent.local_addr().expect("it is bound"));
    for url in [silent, stalled.url("/x.tgz")] {
        let began = Instant::now();
        let trouble = download::get(&url, roots(), Duration::from_secs(1), &|_| None).expect_err("it hangs");
        assert_eq!(trouble.why, "it did not come within 1s");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
