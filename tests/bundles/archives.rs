//! Archives that nobody may unpack.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use kubectl_obs::bundle::{Digest, archive};
use tar::{EntryType, Header};

use super::assert_table;

/// One tar entry, with a header that the tar crate would refuse to write.
struct Entry {
    path: Vec<u8>,
    content: Vec<u8>,
    kind: EntryType,
    /// Size in the header when it is not that of the content.
    size: Option<u64>,
}

fn file(path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Entry {
    Entry {
        path: path.as_ref().to_vec(),
        content: content.as_ref().to_vec(),
        kind: EntryType::Regular,
        size: None,
    }
}

fn special(path: &str, kind: EntryType) -> Entry {
    Entry { kind, ..file(path, "") }
}

impl Entry {
    fn bytes(&self) -> Vec<u8> {
        let mut header = Header::new_ustar();
        header.as_mut_bytes()[..self.path.len()].copy_from_slice(&self.path);
        header.set_entry_type(self.kind);
        header.set_mode(0o644);
        header.set_size(self.size.unwrap_or(self.content.len() as u64));
        header.set_cksum();
        let mut out = header.as_bytes().to_vec();
        out.extend(&self.content);
        out.resize(out.len().next_multiple_of(512), 0);
        out
    }
}

/// A manifest that lists the entries rightly, then the entries, then the end mark.
fn tar(entries: &[Entry]) -> Vec<u8> {
    let digests: serde_json::Map<String, serde_json::Value> = entries
        .iter()
        .map(|entry| {
            let digest = Digest::of(&entry.content).to_string().replace("sha256:", "");
            (String::from_utf8_lossy(&entry.path).into_owned(), digest.into())
        })
        .collect();
    let manifest = file("manifest.json", serde_json::json!({ "files": digests }).to_string());
    let mut out = manifest.bytes();
    entries.iter().for_each(|entry| out.extend(entry.bytes()));
    out.resize(out.len() + 1024, 0);
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn with_manifest(manifest: &str, entries: &[Entry]) -> Vec<u8> {
    let mut out = file("manifest.json", manifest).bytes();
    entries.iter().for_each(|entry| out.extend(entry.bytes()));
    out.resize(out.len() + 1024, 0);
    gzip(&out)
}

fn good() -> Vec<u8> {
    tar(&[file("bundle.yaml", "name: x\n")])
}

#[test]
fn hostile_archives_are_refused_with_a_reason() {
    let one = |path: &str| gzip(&tar(&[file(path, "x")]));
    let kind = |kind| gzip(&tar(&[special("x", kind)]));
    let damaged = |change: fn(&mut Vec<u8>)| {
        let mut bytes = good();
        change(&mut bytes);
        gzip(&bytes)
    };
    let after = |what: &[u8]| {
        let mut bytes = gzip(&good());
        bytes.extend(what);
        bytes
    };
    let mut flipped = gzip(&good());
    let last = flipped.len() - 6;
    flipped[last] ^= 0xff;
    let many: Vec<Entry> = (0..5001).map(|i| file(format!("files/{i}"), "")).collect();
    let large: Vec<Entry> = (0..14).map(|i| file(format!("files/{i}"), vec![b'x'; 5 << 20])).collect();

    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty file", vec![]),
        ("plain text", b"apiVersion: v1".to_vec()),
        ("a tar that is not compressed", good()),
        ("an archive of more than 64 MiB", [gzip(&good()), vec![0; 65 << 20]].concat()),
        ("gzip of nothing", gzip(b"")),
        ("gzip of text", gzip(&[b'x'; 2048])),
        ("only an end mark", gzip(&[0; 1024])),
        ("no manifest", gzip(&[file("bundle.yaml", "x").bytes(), vec![0; 1024]].concat())),
        ("manifest is not JSON", with_manifest("files:", &[])),
        ("manifest without files", with_manifest("{}", &[])),
        ("manifest with numbers", with_manifest("{\"files\": {\"a\": 1}}", &[])),
        ("file not listed", with_manifest("{\"files\": {}}", &[file("bundle.yaml", "x")])),
        ("file listed but missing", with_manifest("{\"files\": {\"bundle.yaml\": \"00\"}}", &[])),
        (
            "file with another digest",
            with_manifest("{\"files\": {\"bundle.yaml\": \"00\"}}", &[file("bundle.yaml", "x")]),
        ),
        ("second manifest", gzip(&tar(&[file("manifest.json", "{}")]))),
        ("absolute path", one("/etc/passwd")),
        ("parent folder", one("../../etc/passwd")),
        ("parent folder inside", one("files/../../x")),
        ("dot folder", one("./bundle.yaml")),
        ("backslash", one("files\\..\\x")),
        ("drive letter", one("C:x")),
        ("empty part", one("files//x")),
        ("slash at the end", one("files/")),
        ("empty path", one("")),
        ("line break in the path", one("files/a\nb")),
        ("NUL in the path", gzip(&tar(&[file(b"files/a\0b", "x")]))),
        ("path that is not UTF-8", gzip(&tar(&[file(b"files/\xff", "x")]))),
        ("the same path twice", gzip(&tar(&[file("a", "x"), file("a", "x")]))),
        ("paths that differ in case", gzip(&tar(&[file("files/A", "x"), file("files/a", "y")]))),
        ("a file that is a folder", gzip(&tar(&[file("files", "x"), file("files/a", "y")]))),
        ("hard link", kind(EntryType::Link)),
        ("symbolic link", kind(EntryType::Symlink)),
        ("character device", kind(EntryType::Char)),
        ("block device", kind(EntryType::Block)),
        ("fifo", kind(EntryType::Fifo)),
        ("directory", kind(EntryType::Directory)),
        ("sparse file", kind(EntryType::GNUSparse)),
        ("GNU long name", kind(EntryType::GNULongName)),
        ("pax header", kind(EntryType::XHeader)),
        ("global pax header", kind(EntryType::XGlobalHeader)),
        ("continuous file", kind(EntryType::Continuous)),
        ("invented type", kind(EntryType::new(b'Z'))),
        ("more than 5,000 files", gzip(&tar(&many))),
        ("file of more than 5 MiB", gzip(&tar(&[file("files/x", vec![b'x'; (5 << 20) + 1])]))),
        ("claims 8 EiB", gzip(&tar(&[Entry { size: Some(1 << 63), ..file("files/x", "x") }]))),
        ("more than 64 MiB together", gzip(&tar(&large))),
        ("bomb of zeros behind the end", gzip(&[good(), vec![0; 80 << 20]].concat())),
        ("size that is no number", {
            let mut bytes = good();
            let at = bytes.len() - 1024 - 1024 + 124;
            bytes[at..at + 11].copy_from_slice(b"zzzzzzzzzzz");
            let sum: u32 =
                bytes[at - 124..at + 24].iter().chain(&bytes[at + 32..at + 388]).map(|b| u32::from(*b)).sum();
            bytes[at + 24..at + 32].copy_from_slice(format!("{:06o}\0 ", sum + 256).as_bytes());
            gzip(&bytes)
        }),
        ("damaged header", damaged(|bytes| bytes[1024] ^= 1)),
        ("ends within a file", damaged(|bytes| bytes.truncate(1024 + 512 + 3))),
        ("ends without the end mark", damaged(|bytes| bytes.truncate(bytes.len() - 1024))),
        ("half an end mark", damaged(|bytes| bytes.truncate(bytes.len() - 512))),
        ("text behind the end mark", damaged(|bytes| bytes.extend([b'x'; 512]))),
        ("an entry behind the end mark", damaged(|bytes| bytes.extend(file("y", "y").bytes()))),
        ("half the gzip stream", {
            let all = gzip(&good());
            all[..all.len() / 2].to_vec()
        }),
        ("gzip without its checksum", {
            let all = gzip(&good());
            all[..all.len() - 8].to_vec()
        }),
        ("gzip with a wrong checksum", flipped),
        ("two gzip members", after(&gzip(&good()))),
        ("bytes behind the gzip stream", after(b"garbage")),
    ];
    let rows: Vec<(&str, String)> = cases
        .iter()
        .map(|(case, bytes)| (*case, archive::unpack(bytes).expect_err(case).to_string()))
        .collect();
    assert!(rows.len() >= 30);
    assert_table("archives", &rows);
}

#[test]
fn the_plain_archive_of_these_tests_is_accepted() {
    let files = archive::unpack(&gzip(&good())).unwrap();
    assert_eq!(files["bundle.yaml"], b"name: x\n");
}

#[test]
fn what_cannot_be_unpacked_cannot_be_packed() {
    let pack = |list: &[(&str, &str)]| archive::pack(&super::files(list)).unwrap_err().to_string();
    assert_eq!(pack(&[("../x", "")]), "the path \"../x\" has a part `.` or `..`");
    assert_eq!(
        pack(&[("files/A", ""), ("files/a", "")]),
        "the paths \"files/A\" and \"files/a\" differ in case only"
    );
    assert_eq!(
        pack(&[("manifest.json", "")]),
        "manifest.json is the archive's own file; give the bundle's file another name"
    );
}

/// The bytes are an interface: digests of published bundles depend on them.
#[test]
fn the_writer_still_writes_the_same_bytes() {
    let bytes = archive::pack(&super::files(&[("bundle.yaml", "name: x\n"), ("files/a", "1")])).unwrap();
    assert_eq!(&bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    insta::assert_snapshot!(Digest::of(&bytes), @"sha256:bc5b0766fb346b63585459a8fe29efc8e4abcdc9d68cdc09df023e82394cbfff");
}
