//! Record ⇄ bytes: gzip JSON, split into chunks where one Secret cannot hold it.

use std::fmt;
use std::io::{BufWriter, Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::record::{FORMAT, Record};
use crate::json::Size;

/// Most bytes in one Secret. The API server's limit is 1 MiB over all values; the rest is room
/// for keys and metadata.
pub const CHUNK: usize = 900 * 1024;

/// Most bytes of a record when unpacked: as many as the files of a bundle may have together. A record of
/// a few thousand objects has 20 MB.
pub const MAX_UNPACKED: usize = 64 << 20;

/// Most values of a record, each key of a map counting with its value: the child that renders has 96 MiB,
/// in which there is room for 1.4 million of the smallest. A few hundred megabytes when read.
pub const MAX_VALUES: usize = 1_500_000;

/// Most Secrets that a record is split over: it does not get larger by being packed.
pub const MAX_CHUNKS: usize = MAX_UNPACKED / CHUNK + 3;

/// An encoded record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// One part, or several of at most [`CHUNK`] bytes.
    pub parts: Vec<Vec<u8>>,
    /// SHA-256 over all parts, lower-case hex.
    pub sha256: String,
}

/// Encodes a record. The error says that nobody could read it again, in words that fit "the record …".
pub fn encode(record: &Record) -> Result<Encoded, String> {
    let mut measured =
        Measured { inner: GzEncoder::new(Vec::new(), Compression::new(6)), size: Size::default() };
    // JSON is written a few bytes at a time; for the encoder that is ten times the work
    let mut buffer = BufWriter::with_capacity(64 << 10, &mut measured);
    let written = serde_json::to_writer(&mut buffer, record).map_err(std::io::Error::other);
    let written = written.and_then(|()| buffer.flush());
    drop(buffer);
    check(measured.size)?;
    // writing into a Vec and serialising plain data cannot fail
    let bytes = written.and_then(|()| measured.inner.finish()).unwrap_or_default();
    let sha256 = hex(&Sha256::digest(&bytes));
    Ok(Encoded { parts: bytes.chunks(CHUNK).map(<[u8]>::to_vec).collect(), sha256 })
}

/// Has a record room for this much?
fn check(size: Size) -> Result<(), String> {
    if size.bytes > MAX_UNPACKED {
        return Err(format!("has more than {} MiB, more than a release can hold", MAX_UNPACKED >> 20));
    }
    if size.values > MAX_VALUES {
        return Err(format!("has more than {MAX_VALUES} values, more than a release can hold"));
    }
    Ok(())
}

/// Writes on, as long as there is room.
struct Measured<W> {
    inner: W,
    size: Size,
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.size.add(buffer);
        check(self.size).map_err(std::io::Error::other)?;
        self.inner.write_all(buffer).map(|()| buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// Why there is a record and its content cannot be used, in words that fit
/// "record obs.x.v1 cannot be read: …".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// A later version of this tool wrote it: whole, but not for us.
    Newer(u32),
    /// Something is missing or was changed.
    Damaged(String),
    /// It is not there any more.
    Gone,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(format) => {
                write!(f, "it has format {format}, this version of kubectl-obs reads up to {FORMAT}")
            }
            Self::Damaged(why) => f.write_str(why),
            Self::Gone => f.write_str("it does not exist"),
        }
    }
}

/// Decodes the concatenated parts.
pub fn decode(bytes: &[u8], sha256: &str) -> Result<Record, Unusable> {
    decode_as(bytes, sha256)
}

/// Decodes of a record what somebody wants of it. A few kilobytes of gzip can say gigabytes, and a few
/// megabytes of JSON can be gigabytes when read: both are measured before.
pub fn decode_as<T: DeserializeOwned>(bytes: &[u8], sha256: &str) -> Result<T, Unusable> {
    decode_measured(bytes, sha256).map(|(decoded, _)| decoded)
}

/// The same, and how many values the record has.
pub fn decode_measured<T: DeserializeOwned>(bytes: &[u8], sha256: &str) -> Result<(T, usize), Unusable> {
    let damaged = |why: String| Unusable::Damaged(why);
    let found = hex(&Sha256::digest(bytes));
    if found != sha256 {
        return Err(damaged("its checksum does not match its content".into()));
    }
    let mut json = Vec::new();
    GzDecoder::new(bytes)
        .take(MAX_UNPACKED as u64 + 1)
        .read_to_end(&mut json)
        .map_err(|e| damaged(format!("it is not gzip data ({e})")))?;
    let size = Size::of(&json);
    check(size).map_err(|why| damaged(format!("it {why}")))?;
    #[derive(serde::Deserialize)]
    struct Head {
        format: u32,
    }
    let head: Head =
        serde_json::from_slice(&json).map_err(|_| damaged("it is not a release record".to_owned()))?;
    if head.format > FORMAT {
        return Err(Unusable::Newer(head.format));
    }
    let decoded = serde_json::from_slice(&json)
        .map_err(|e| damaged(format!("its content is not that of a record ({e})")))?;
    Ok((decoded, size.values))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::record::BundleRef;
    use serde_json::json;

    fn record(values: serde_json::Value) -> Record {
        Record {
            format: FORMAT,
            release: "obs".into(),
            namespace: "observability".into(),
            node_namespace: "observability-node".into(),
            revision: 1,
            bundle: BundleRef {
                name: "stack".into(),
                version: "1.0.0".into(),
                digest: "sha256:0".into(),
                source: "embedded".into(),
            },
            profile: None,
            values,
            secret_values: None,
            derived: Vec::new(),
            components: vec![],
            objects: vec![],
            inventory: vec![],
            notes: String::new(),
        }
    }

    #[test]
    fn a_record_survives_the_round_trip() {
        let record = record(json!({"a": [1, null, "x"]}));
        let encoded = encode(&record).unwrap();
        assert_eq!(encoded.parts.len(), 1);
        assert_eq!(decode(&encoded.parts.concat(), &encoded.sha256).unwrap(), record);
    }

    #[test]
    fn a_large_record_is_split_and_joined() {
        // hex of a counter's digests does not compress below half its size
        let noise: Vec<String> = (0..60_000u32).map(|i| hex(&Sha256::digest(i.to_be_bytes()))).collect();
        let record = record(json!(noise));
        let encoded = encode(&record).unwrap();
        assert!(encoded.parts.len() > 1 && encoded.parts.iter().all(|part| part.len() <= CHUNK));
        assert_eq!(decode(&encoded.parts.concat(), &encoded.sha256).unwrap(), record);
    }

    #[test]
    fn damage_is_named() {
        let encoded = encode(&record(json!({}))).unwrap();
        let mut bytes = encoded.parts.concat();
        bytes.truncate(bytes.len() - 1);
        let why = decode(&bytes, &encoded.sha256).unwrap_err();
        assert_eq!(why, Unusable::Damaged("its checksum does not match its content".into()));
        let whole = |bytes: &[u8]| decode(bytes, &hex(&Sha256::digest(bytes))).unwrap_err().to_string();
        assert!(whole(b"what").starts_with("it is not gzip data ("), "{}", whole(b"what"));
    }

    /// What `decode` says of this JSON.
    fn told(json: &[u8]) -> String {
        let mut gz = GzEncoder::new(Vec::new(), Compression::new(6));
        gz.write_all(json).unwrap();
        let bytes = gz.finish().unwrap();
        decode(&bytes, &hex(&Sha256::digest(&bytes))).unwrap_err().to_string()
    }

    #[test]
    fn a_record_that_unpacks_to_too_much_is_refused_before_it_is_read() {
        let large = "it has more than 64 MiB, more than a release can hold";
        assert_eq!(told(&vec![b' '; MAX_UNPACKED + 1]), large);
        let many = "it has more than 1500000 values, more than a release can hold";
        let lists = format!("{{\"format\":1,\"objects\":[[]{}]}}", ",[]".repeat(800_000));
        assert_eq!(told(lists.as_bytes()), many);
        let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let sample = serde_json::to_string(&Record::sample(1)).unwrap();
        let deep = sample.replace("\"values\":{}", &format!("\"values\":{nested}"));
        assert!(told(deep.as_bytes()).starts_with("its content is not that of a record (recursion limit"));
        // what is in texts is no value
        let texts = format!("{{\"format\":1,\"x\":\"{}\"}}", ",[\\\"{".repeat(1_600_000));
        assert!(told(texts.as_bytes()).starts_with("its content is not that of a record (missing field"));
    }

    #[test]
    fn a_record_that_could_not_be_read_again_is_not_written() {
        let text = "x".repeat(MAX_UNPACKED);
        assert_eq!(
            encode(&record(json!(text))).unwrap_err(),
            "has more than 64 MiB, more than a release can hold"
        );
        let list = vec![0; MAX_VALUES];
        assert_eq!(
            encode(&record(json!(list))).unwrap_err(),
            "has more than 1500000 values, more than a release can hold"
        );
        let largest = record(json!(vec![0; MAX_VALUES - 100]));
        let encoded = encode(&largest).unwrap();
        assert_eq!(decode(&encoded.parts.concat(), &encoded.sha256).unwrap(), largest);
    }

    #[test]
    fn a_record_of_a_newer_version_is_refused() {
        let encoded = encode(&Record { format: 99, ..record(json!({})) }).unwrap();
        let why = decode(&encoded.parts.concat(), &encoded.sha256).unwrap_err();
        assert_eq!(why, Unusable::Newer(99));
        assert_eq!(why.to_string(), "it has format 99, this version of kubectl-obs reads up to 1");
    }
}
