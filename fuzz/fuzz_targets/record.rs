//! A release record as anybody may write it into a Secret. It is read, or refused within its limits;
//! what was read can be stored again and reads back as the same.

#![no_main]

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use kubectl_obs::object::Object;
use kubectl_obs::release::codec::hex;
use kubectl_obs::release::{decode, encode};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

fuzz_target!(|data: &[u8]| {
    // the stored bytes themselves
    let _ = decode(data, &hex(&Sha256::digest(data)));
    // what is in them: a mutation would not get past gzip
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(data).unwrap();
    let bytes = gzip.finish().unwrap();
    let Ok(record) = decode(&bytes, &hex(&Sha256::digest(&bytes))) else { return };
    for object in &record.objects {
        if let Ok(object) = Object::new(object.clone()) {
            let _ = kubectl_obs::readiness::readiness(object.value());
        }
    }
    let again = encode(&record).expect("what could be read can be stored");
    let read = decode(&again.parts.concat(), &again.sha256).expect("what was stored can be read");
    assert_eq!(read, record);
});
