//! A bundle's archive as it comes from anywhere. It is refused, or holds files that can be packed again
//! and are then the same. The first byte says what the rest is: the archive, the tar stream in it, or
//! files.

#![no_main]

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use kubectl_obs::bundle::{Bundle, Files, archive};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let files = match kind % 3 {
        0 => archive::unpack(rest),
        1 => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
            gzip.write_all(rest).unwrap();
            archive::unpack(&gzip.finish().unwrap())
        }
        _ => Ok(files(rest)),
    };
    let Ok(files) = files else { return };
    let _ = Bundle::load(&files);
    match archive::pack(&files) {
        Ok(packed) => assert_eq!(archive::unpack(&packed).expect("what was packed can be unpacked"), files),
        Err(_) => assert_eq!(kind % 3, 2, "what was unpacked can be packed"),
    }
});

/// `PATH NUL CONTENT NUL PATH NUL CONTENT …`
fn files(data: &[u8]) -> Files {
    let parts: Vec<&[u8]> = data.split(|byte| *byte == 0).collect();
    parts
        .chunks(2)
        .map(|file| {
            let path = String::from_utf8_lossy(file[0]).into_owned();
            (path, file.get(1).copied().unwrap_or_default().to_vec())
        })
        .collect()
}
