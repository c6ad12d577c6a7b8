//! The archive format of bundles: a deterministic tar.gz whose first entry, `manifest.json`, lists
//! the SHA-256 of every other file. The same files always give the same bytes, so the digest of an
//! archive identifies a bundle.
//!
//! The reader trusts nothing: it takes regular files with plain relative paths, counts entries and
//! bytes while they stream out of the decompressor, and refuses everything else by name. No file is
//! ever written to disk.
//!
//! `build.rs` includes this file to pack the embedded bundles, so it needs nothing of the crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{Read, Write};

use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

/// The files of a bundle by their relative path with `/`, for example `templates/service.yaml`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Most files in an archive.
pub const MAX_FILES: usize = 5_000;
/// Most bytes in one file.
pub const MAX_FILE: u64 = 5 << 20;
/// Most bytes in all files of an archive, and in the archive itself.
pub const MAX_TOTAL: u64 = 64 << 20;

/// The first entry: `{"files": {"<path>": "<sha256 in hex>"}}`.
const MANIFEST: &str = "manifest.json";
const BLOCK: usize = 512;
/// The manifest's own cap: room for [`MAX_FILES`] of the longest paths.
const MAX_MANIFEST: u64 = 4 << 20;

/// Why files cannot be packed or an archive cannot be read; lower case, fits "x.tgz: …".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveError(String);

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ArchiveError {}

type Result<T> = std::result::Result<T, ArchiveError>;

fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(ArchiveError(message.into()))
}

/// Packs files. The result depends on paths and contents only.
pub fn pack(files: &Files) -> Result<Vec<u8>> {
    check_all(files)?;
    let digests: BTreeMap<&str, String> =
        files.iter().map(|(path, content)| (path.as_str(), hex(&Sha256::digest(content)))).collect();
    let manifest = serde_json::json!({ "files": digests }).to_string();

    // 255 = unknown: the OS byte would otherwise differ between build machines
    let mut out = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    let mut append = |path: &str, content: &[u8]| {
        let header = header(path, content.len() as u64)?;
        let padding = [0; BLOCK];
        out.write_all(header.as_bytes())
            .and_then(|()| out.write_all(content))
            .and_then(|()| out.write_all(&padding[..pad(content.len())]))
            .map_err(|e| ArchiveError(format!("cannot compress {path:?}: {e}")))
    };
    append(MANIFEST, manifest.as_bytes())?;
    for (path, content) in files {
        append(path, content)?;
    }
    out.write_all(&[0; 2 * BLOCK])
        .and_then(|()| out.finish())
        .map_err(|e| ArchiveError(format!("cannot compress the archive: {e}")))
}

/// Reads an archive that [`pack`] wrote. Everything that `pack` would not have written is refused.
pub fn unpack(bytes: &[u8]) -> Result<Files> {
    if bytes.len() as u64 > MAX_TOTAL {
        return refuse(format!("the archive is larger than {}", mib(MAX_TOTAL)));
    }
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return refuse("not a gzip file");
    }
    let mut tar = Tar { gzip: flate2::bufread::GzDecoder::new(bytes), left: MAX_TOTAL + MAX_MANIFEST };

    let Some((path, manifest)) = tar.entry()? else {
        return refuse("the archive is empty");
    };
    if path != MANIFEST {
        return refuse(format!("the first entry is {path:?}, not {MANIFEST}: not a bundle archive"));
    }
    let mut digests = manifest_digests(&manifest)?;

    let mut files = Files::new();
    let mut total = 0;
    while let Some((path, content)) = tar.entry()? {
        if path == MANIFEST || files.contains_key(&path) {
            return refuse(format!("entry {path:?} is there twice"));
        }
        total += content.len() as u64;
        if total > MAX_TOTAL {
            return refuse(format!("the files are larger than {} together", mib(MAX_TOTAL)));
        }
        match digests.remove(&path) {
            None => return refuse(format!("file {path:?} is not listed in {MANIFEST}")),
            Some(digest) if digest != hex(&Sha256::digest(&content)) => {
                return refuse(format!("file {path:?} does not match its digest in {MANIFEST}"));
            }
            Some(_) => files.insert(path, content),
        };
        if files.len() > MAX_FILES {
            return refuse(format!("more than {MAX_FILES} files"));
        }
    }
    if let Some(path) = digests.keys().next() {
        return refuse(format!("file {path:?} is listed in {MANIFEST} but missing"));
    }
    tar.finish()?;
    check_all(&files)?;
    Ok(files)
}

/// SHA-256 of an archive's bytes: the identity of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of an archive.
    pub fn of(archive: &[u8]) -> Self {
        Self(Sha256::digest(archive).into())
    }

    /// Reads `sha256:` and 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:")?.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut out = [0; 32];
        for (byte, pair) in out.iter_mut().zip(digits.chunks(2)) {
            let nibble = |d: u8| match d {
                b'0'..=b'9' => Some(d - b'0'),
                b'a'..=b'f' => Some(d - b'a' + 10),
                _ => None,
            };
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(out))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex(&self.0))
    }
}

/// Streams entries out of a gzip member and counts what comes.
struct Tar<'a> {
    gzip: flate2::bufread::GzDecoder<&'a [u8]>,
    /// Bytes that may still come.
    left: u64,
}

impl Tar<'_> {
    /// The next regular file, or None at the end-of-archive mark.
    fn entry(&mut self) -> Result<Option<(String, Vec<u8>)>> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        if block == [0; BLOCK] {
            self.fill(&mut block)?;
            if block != [0; BLOCK] {
                return refuse("data follows the end of the archive");
            }
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block);
        let sum: u32 = block[..148].iter().chain(&block[156..]).map(|b| u32::from(*b)).sum::<u32>() + 8 * 32;
        if header.cksum().ok() != Some(sum) {
            return refuse("an entry's header is damaged");
        }
        let path = entry_path(&block)?;
        if let Some(what) = not_a_file(header.entry_type()) {
            return refuse(format!("entry {path:?} is {what}; a bundle holds regular files only"));
        }
        check_path(&path)?;
        let Ok(size) = header.entry_size() else {
            return refuse(format!("the size of {path:?} cannot be read"));
        };
        let cap = if path == MANIFEST { MAX_MANIFEST } else { MAX_FILE };
        let Some(size) = usize::try_from(size).ok().filter(|_| size <= cap) else {
            return refuse(format!("file {path:?} is larger than {}", mib(cap)));
        };
        let mut content = vec![0; size];
        self.fill(&mut content)?;
        let mut padding = [0; BLOCK];
        self.fill(&mut padding[..pad(size)])?;
        Ok(Some((path, content)))
    }

    /// After the end mark only zeros may follow, and after the gzip member nothing.
    fn finish(mut self) -> Result<()> {
        let mut block = [0; 8 * BLOCK];
        loop {
            let n = self.read(&mut block)?;
            if n == 0 {
                break;
            }
            if block[..n].iter().any(|b| *b != 0) {
                return refuse("data follows the end of the archive");
            }
        }
        match self.gzip.into_inner() {
            [] => Ok(()),
            [0x1f, 0x8b, ..] => refuse("the archive has more than one gzip member"),
            _ => refuse("data follows the end of the gzip stream"),
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..])? {
                0 => return refuse("the archive ends in the middle"),
                n => filled += n,
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let n = self.gzip.read(buffer).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => ArchiveError("the archive ends in the middle".into()),
            _ => ArchiveError("the gzip stream is damaged".into()),
        })?;
        match self.left.checked_sub(n as u64) {
            Some(left) => self.left = left,
            None => return refuse(format!("the archive unpacks to more than {}", mib(MAX_TOTAL))),
        }
        Ok(n)
    }
}

/// What `kind` is, unless a regular file.
fn not_a_file(kind: EntryType) -> Option<&'static str> {
    Some(match kind {
        EntryType::Regular => return None,
        EntryType::Link => "a hard link",
        EntryType::Symlink => "a symbolic link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a fifo",
        EntryType::Directory => "a directory",
        EntryType::GNUSparse => "a sparse file",
        EntryType::GNULongName | EntryType::GNULongLink => "a GNU long name",
        EntryType::XHeader => "a pax header",
        EntryType::XGlobalHeader => "a global pax header",
        _ => "of an unknown type",
    })
}

/// The path in a header: `name`, and in ustar headers `prefix/name`.
fn entry_path(block: &[u8; BLOCK]) -> Result<String> {
    let text = |field: &[u8]| {
        let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
        let (text, rest) = field.split_at(end);
        if rest.iter().any(|b| *b != 0) {
            return refuse("an entry has a NUL character in its path");
        }
        match std::str::from_utf8(text) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => refuse("an entry has a path that is not UTF-8"),
        }
    };
    let name = text(&block[..100])?;
    if &block[257..263] != b"ustar\0" {
        return Ok(name);
    }
    let prefix = text(&block[345..500])?;
    Ok(if prefix.is_empty() { name } else { format!("{prefix}/{name}") })
}

/// A plain relative path with `/` that means the same on every system.
fn check_path(path: &str) -> Result<()> {
    let why = if path.is_empty() {
        "is empty"
    } else if path.starts_with('/') {
        "is absolute"
    } else if path.contains('\\') {
        "has a backslash"
    } else if path.as_bytes().get(1) == Some(&b':') {
        "has a drive letter"
    } else if path.chars().any(char::is_control) {
        "has a control character"
    } else if path.split('/').any(str::is_empty) {
        "has an empty part"
    } else if path.split('/').any(|part| part == "." || part == "..") {
        "has a part `.` or `..`"
    } else {
        return Ok(());
    };
    refuse(format!("the path {path:?} {why}"))
}

/// What holds for the files together, packed or unpacked.
fn check_all(files: &Files) -> Result<()> {
    if files.len() > MAX_FILES {
        return refuse(format!("more than {MAX_FILES} files"));
    }
    let mut folded = BTreeMap::new();
    let mut folders = BTreeSet::new();
    let mut total = 0;
    for (path, content) in files {
        check_path(path)?;
        if path == MANIFEST {
            return refuse(format!(
                "{MANIFEST} is the archive's own file; give the bundle's file another name"
            ));
        }
        if content.len() as u64 > MAX_FILE {
            return refuse(format!("file {path:?} is larger than {}", mib(MAX_FILE)));
        }
        total += content.len() as u64;
        let lower = path.to_lowercase();
        folders.extend(lower.match_indices('/').map(|(at, _)| lower[..at].to_owned()));
        if let Some(other) = folded.insert(lower, path) {
            return refuse(format!("the paths {other:?} and {path:?} differ in case only"));
        }
    }
    if total > MAX_TOTAL {
        return refuse(format!("the files are larger than {} together", mib(MAX_TOTAL)));
    }
    match folded.iter().find(|(lower, _)| folders.contains(*lower)) {
        Some((_, path)) => refuse(format!("{path:?} is a file and a folder")),
        None => Ok(()),
    }
}

fn manifest_digests(content: &[u8]) -> Result<BTreeMap<String, String>> {
    let not_ours = || ArchiveError(format!("{MANIFEST} is not a list of files and digests"));
    let value: serde_json::Value = serde_json::from_slice(content).map_err(|_| not_ours())?;
    let files = value.get("files").and_then(serde_json::Value::as_object).ok_or_else(not_ours)?;
    files
        .iter()
        .map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
        .collect::<Option<_>>()
        .ok_or_else(not_ours)
}

fn header(path: &str, size: u64) -> Result<Header> {
    let mut header = Header::new_ustar();
    // set_path would also accept and normalise what check_path refuses
    if header.set_path(path).is_err() {
        return refuse(format!("the path {path:?} is too long"));
    }
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Ok(header)
}

/// Bytes from `size` to the next block.
fn pad(size: usize) -> usize {
    size.next_multiple_of(BLOCK) - size
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn files() -> impl Strategy<Value = Files> {
        let path =
            proptest::collection::vec("[a-z0-9_-]{1,12}(\\.[a-z]{1,4})?", 1..5).prop_map(|p| p.join("/"));
        proptest::collection::btree_map(path, proptest::collection::vec(any::<u8>(), 0..1500), 0..12)
    }

    proptest! {
        #[test]
        fn unpack_gives_back_what_was_packed_and_packing_is_deterministic(files in files()) {
            match pack(&files) {
                Ok(bytes) => {
                    prop_assert_eq!(&unpack(&bytes).unwrap(), &files);
                    prop_assert_eq!(pack(&files).unwrap(), bytes);
                }
                // the generator may make a file that is also a folder, or manifest.json
                Err(err) => prop_assert!(err.to_string().contains(" is "), "{err}"),
            }
        }

        #[test]
        fn a_flipped_or_cut_byte_never_panics_and_never_changes_content(
            files in files(), at in any::<proptest::sample::Index>(), bit in 0u8..8, cut in any::<bool>()
        ) {
            let Ok(mut bytes) = pack(&files) else { return Ok(()) };
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
            if let Ok(read) = unpack(&bytes) {
                prop_assert_eq!(read, files);
            }
        }
    }

    #[test]
    fn long_paths_are_split_into_prefix_and_name() {
        let path = format!("files/{}/{}.json", "d".repeat(90), "x".repeat(60));
        let files = Files::from([(path, b"{}".to_vec())]);
        assert_eq!(unpack(&pack(&files).unwrap()).unwrap(), files);
        let files = Files::from([("x".repeat(300), Vec::new())]);
        assert!(pack(&files).unwrap_err().to_string().ends_with("is too long"));
    }

    #[test]
    fn a_digest_reads_what_it_prints() {
        let digest = Digest::of(b"x");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse("sha256:abc"), None);
        assert_eq!(Digest::parse(&"x".repeat(71)), None);
    }
}
