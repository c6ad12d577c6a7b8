//! Where bundles come from: embedded in the binary, a folder, a `.tgz` file, an https address with
//! its digest. Everything ends as [`Files`] with the digest of their archive.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;

use ureq::tls::RootCerts;

use crate::bundle::{Bundle, Digest, Files, archive, embedded};
use crate::error::Error;
use crate::object::{MASK, Object};
use crate::ops::sandbox::{self, Sandbox, Secrets};
use crate::ops::{download, folder, leave_when_told};
use crate::render::{self, Facts, Rendered};
use crate::url::{reached, shown};
use crate::values::{Pointer, Traces, Values, derived, did_you_mean};
use crate::{Result, yaml};

/// What says which object it is, is on every screen.
fn public_secret(rendered: &Rendered, other: &Rendered) -> Option<Error> {
    let both = rendered.objects.iter().zip(&other.objects).zip(&rendered.sources);
    let same = |one: &Object, two: &Object| one.id() == two.id() && one.api_version() == two.api_version();
    let (_, source) = both.into_iter().find(|((one, other), _)| !same(one, other))?;
    let error =
        Error::usage(format!("{source}: the kind, name or namespace of an object is made of a secret value"));
    Some(error.hint("name it after something that anybody may know: names are shown everywhere"))
}

/// The texts of an error, in order.
fn texts(error: &Error) -> impl Iterator<Item = &str> {
    std::iter::once(error.message()).chain(error.details().iter().chain(error.hints()).map(String::as_str))
}

/// With a mask for each quotation.
fn without_quotes(text: &str) -> String {
    let mut parts = text.split('"');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for (place, part) in parts.enumerate() {
        out.push('"');
        out.push_str(if place % 2 == 0 { MASK } else { part });
    }
    out
}

/// For the recursion of a rendering in a thread of its own.
const STACK: usize = 8 << 20;

/// A bundle's files and where they are from.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What `Bundle::load` takes.
    pub files: Files,
    /// For people and records: `embedded stack`, an absolute path, an address without credentials.
    pub origin: String,
    /// Of the archive that `bundle package` would write.
    pub digest: Digest,
    /// Did it come with the binary? Anything else renders in a child process.
    pub trusted: bool,
}

impl Opened {
    /// Renders with the effective values: in this process what came with the binary, anything else
    /// in a child with limits.
    pub fn render(&self, values: &serde_json::Value, facts: &Facts) -> Result<Rendered> {
        if self.trusted {
            render::render(&Bundle::load(&self.files)?, values, facts)
        } else {
            Sandbox::new()?.render(&self.files, values, facts)
        }
    }

    /// The same, and finds out what of it templates made of the values at `secrets`: by rendering once
    /// more, beside it, with stand-ins. Where that fails, the stand-ins are no such values, and nothing is
    /// known of it.
    pub fn render_tracing(
        &self,
        values: &serde_json::Value,
        secrets: &[Pointer],
        facts: &Facts,
    ) -> Result<Rendered> {
        let Some(others) = derived::stand_ins(values, secrets) else { return self.render(values, facts) };
        let (rendered, other) = thread::scope(|scope| {
            let other = thread::Builder::new().stack_size(STACK);
            let other = other.spawn_scoped(scope, || self.render(&others, facts));
            let rendered = self.render(values, facts);
            (rendered, other.ok().and_then(|other| other.join().ok()))
        });
        let known = Traces::of(values, secrets);
        match (rendered, other) {
            (Ok(mut rendered), Some(Ok(other))) => {
                if let Some(error) = public_secret(&rendered, &other) {
                    return Err(error);
                }
                rendered.derive(&other, &|text| known.hold(text));
                Ok(rendered)
            }
            // a filter quotes what it cannot read
            (Err(error), Some(Err(other))) => {
                let mut found = BTreeSet::new();
                texts(&error)
                    .zip(texts(&other))
                    .for_each(|(real, other)| derived::text(real, other, &mut found));
                let found: Vec<String> = found.into_iter().collect();
                let made = Traces::default().and_derived(&found);
                Err(error.with_texts(|text| made.sentence(text)))
            }
            (Err(error), Some(Ok(_))) => Err(error.with_texts(without_quotes)),
            (rendered, _) => rendered,
        }
    }

    /// Checks values against the bundle's schema, under the same rule; gives where secrets are in them.
    /// Values of a size that nobody types are checked in the child as well.
    pub fn check(&self, bundle: &Bundle, values: &Values) -> Result<Secrets> {
        match self.trusted && values.origins.len() <= USUAL_VALUES {
            true => sandbox::check(bundle, values),
            false => Sandbox::new()?.check(&self.files, values),
        }
    }

    /// Where in `values` secrets are, by the bundle's schema, under the same rule.
    pub fn secrets(&self, bundle: &Bundle, values: &serde_json::Value) -> Result<Vec<Pointer>> {
        match self.trusted {
            true => Ok(sandbox::schema_secrets(bundle, values)),
            false => Sandbox::new()?.secrets(&self.files, values),
        }
    }
}

/// So many values are checked in this process against a schema that came with the binary.
const USUAL_VALUES: usize = 20_000;

/// Opens what a person typed: an embedded bundle's name, a folder, a `.tgz` file or
/// `https://…#sha256:<digest>`.
pub fn open(reference: &str) -> Result<Opened> {
    if let Some(bytes) = embedded::archive(reference) {
        return from_archive(bytes, format!("embedded {reference}"), true);
    }
    if let Some((scheme, _)) = reference.split_once("://") {
        return match scheme {
            "https" => from_https(reference),
            "http" => Err(Error::usage(format!("{}: http is not encrypted", shown(reference)))
                .hint("use https://…#sha256:<digest>")),
            _ => Err(unknown(reference)),
        };
    }
    let path = Path::new(reference);
    let kind = match fs::metadata(path) {
        Ok(kind) => kind,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(unknown(reference)),
        Err(e) => return Err(Error::usage(format!("{reference}: {e}"))),
    };
    let origin = path.canonicalize().map_or_else(|_| reference.to_owned(), |path| path.display().to_string());
    if kind.is_dir() {
        let files = from_folder(path)?;
        let bytes = archive::pack(&files).map_err(|e| Error::usage(format!("{reference}: {e}")))?;
        return Ok(Opened { files, origin, digest: Digest::of(&bytes), trusted: false });
    }
    if !kind.is_file() {
        return Err(Error::usage(format!("{reference}: neither a file nor a folder")));
    }
    if kind.len() > archive::MAX_TOTAL {
        return Err(Error::usage(format!("{reference}: larger than {} MiB", archive::MAX_TOTAL >> 20)));
    }
    let bytes = fs::read(path).map_err(|e| Error::usage(format!("{reference}: {e}")))?;
    from_archive(&bytes, origin, false).map_err(|err| err.context(reference))
}

fn from_archive(bytes: &[u8], origin: String, trusted: bool) -> Result<Opened> {
    let files = archive::unpack(bytes).map_err(|e| {
        Error::usage(e.to_string()).hint("`kubectl obs bundle package` writes bundle archives")
    })?;
    Ok(Opened { files, origin, digest: Digest::of(bytes), trusted })
}

/// A folder with a bundle.yaml; the components that it lists come along.
fn from_folder(root: &Path) -> Result<Files> {
    let file = root.join("bundle.yaml");
    if !file.is_file() {
        let err = Error::usage(format!("{}: not found", file.display()));
        return Err(err.hint("a bundle is a folder with a file bundle.yaml at its top"));
    }
    let failed = |e: std::io::Error| Error::usage(format!("{}: {e}", file.display()));
    if fs::metadata(&file).map_err(failed)?.len() > archive::MAX_FILE {
        let limit = archive::MAX_FILE >> 20;
        return Err(Error::usage(format!("{}: larger than {limit} MiB", file.display())));
    }
    let text = fs::read_to_string(&file).map_err(failed)?;
    // what is wrong with the file is for Bundle::load to say
    let meta = yaml::parse(&text).unwrap_or_default();
    let list = meta.get("components").and_then(|list| list.as_array()).into_iter().flatten();
    let names: Vec<String> = list.filter_map(|c| Some(c.get("name")?.as_str()?.to_owned())).collect();
    folder::read(root, &names).map_err(Error::usage)
}

fn from_https(reference: &str) -> Result<Opened> {
    let typed = shown(reference);
    let Some((url, digest)) = reference.split_once('#') else {
        return Err(Error::usage(format!("{typed}: the digest is missing"))
            .hint("append #sha256:<64 hexadecimal digits>; `kubectl obs bundle package` prints it"));
    };
    let Some(digest) = Digest::parse(digest) else {
        return Err(Error::usage(format!("{typed}: the part after `#` is not a digest"))
            .hint("write #sha256: and 64 hexadecimal digits in lower case"));
    };
    let typed = shown(url);
    let address = url.to_owned();
    let got = leave_when_told(move || {
        let env = |name: &str| std::env::var_os(name);
        download::get(&address, RootCerts::PlatformVerifier, download::TIMEOUT, &env)
    })?;
    let bytes = got.map_err(|trouble| {
        Error::failed(format!("{typed}: cannot be downloaded: {}", trouble.why)).hint(trouble.hint)
    })?;
    check(&bytes, digest, &typed)?;
    from_archive(&bytes, reached(url), false).map_err(|err| err.context(typed))
}

/// Before anything is unpacked.
fn check(bytes: &[u8], expected: Digest, shown: &str) -> Result<()> {
    let got = Digest::of(bytes);
    if got == expected {
        return Ok(());
    }
    Err(Error::usage(format!("{shown}: the file has another digest"))
        .detail(format!("expected {expected}\ngot      {got}"))
        .hint("the file was replaced or damaged on its way; do not use it before you know why"))
}

fn unknown(reference: &str) -> Error {
    let typed = shown(reference);
    let names: Vec<&str> = embedded::names().collect();
    let err = Error::usage(format!("{typed}: no such bundle"));
    let near = did_you_mean(reference, names.iter().copied());
    let err = if let Some(near) = near { err.hint(format!("did you mean `{near}`?")) } else { err };
    let embedded =
        if names.is_empty() { String::new() } else { format!("an embedded bundle ({}), ", names.join(", ")) };
    err.hint(format!(
        "a bundle is {embedded}a folder with a bundle.yaml, a .tgz file, or https://…#sha256:<digest>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_with_another_digest_is_refused_before_it_is_unpacked() {
        let err = check(b"not even gzip", Digest::of(b"other"), "https://host/x.tgz").unwrap_err();
        assert_eq!(err.message(), "https://host/x.tgz: the file has another digest");
        assert!(check(b"x", Digest::of(b"x"), "").is_ok());
    }

    #[test]
    fn an_embedded_umbrella_equals_its_folder() {
        // build.rs reads bundle.yaml without a YAML parser
        for name in embedded::names() {
            let folder = open(&format!("{}/charts/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            assert_eq!(folder.digest, open(name).unwrap().digest, "{name}");
        }
    }
}
