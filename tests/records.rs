//! Records of this and other versions: Secrets as they were on a cluster, read by today's code.
//! A record that cannot be read any more is a release that cannot be removed any more.

#![allow(clippy::allow_attributes, clippy::expect_used, reason = "a test fails by panicking")]

use kubectl_obs::object::unbase64;
use kubectl_obs::release::{Found, Record, Status, Unusable, decode};
use serde_json::Value;

fn secret(file: &str) -> Value {
    let path = format!("{}/tests/fixtures/records/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("the fixture is there")).expect("JSON")
}

fn read(secret: &Value) -> Result<Record, Unusable> {
    let data = |key: &str| unbase64(secret["data"][key].as_str().expect("data")).expect("base64");
    decode(&data("record"), &String::from_utf8(data("sha256")).expect("text"))
}

#[test]
fn format_1_is_read_whole() {
    let secret = secret("format-1.json");
    let found: Found = serde_json::from_value(secret["metadata"].clone()).expect("metadata");
    let header = found.header.expect("a header");
    assert_eq!((header.revision, header.status), (1, Some(Status::Deployed)));
    assert_eq!((header.bundle.as_str(), header.by.as_str()), ("small 1.0.0", "alice@build-7"));
    assert_eq!((found.chunks, found.damage), (0, None));
    assert!(header.ready_after.is_empty(), "that came later");

    let record = read(&secret).expect("it is readable");
    assert_eq!((record.format, record.revision, record.bundle.name.as_str()), (1, 1, "small"));
    assert_eq!((record.values["maps"].as_u64(), record.components[0].name.as_str()), (Some(1), "small"));
    assert_eq!((record.objects.len(), record.inventory.len()), (8, 8));
    assert_eq!(record.notes, "release obs is here\n");
}

#[test]
fn a_newer_format_is_no_damage() {
    assert_eq!(read(&secret("format-99.json")), Err(Unusable::Newer(99)));
}
