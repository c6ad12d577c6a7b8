//! Reads a bundle from a folder: its files, and for an umbrella those of its components, which are
//! siblings (`../<name>/`) or inside (`components/<name>/`).
//!
//! `build.rs` includes this file to read `charts/`, so it needs nothing of the crate.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

type Files = BTreeMap<String, Vec<u8>>;

/// Enough for any bundle; ends a walk through a folder that is none.
const MAX_FILES: usize = 5_000;
const MAX_FILE: u64 = 5 << 20;
const MAX_TOTAL: u64 = 64 << 20;

/// The files of the bundle at `root`. `components` are the names that its bundle.yaml lists.
pub fn read(root: &Path, components: &[String]) -> Result<Files, String> {
    let mut files = Files::new();
    let mut left = MAX_TOTAL;
    walk(&boundary(root)?, root, "", &mut files, &mut left)?;
    for name in components {
        let inside = format!("components/{name}/");
        // a name with `/` or `..` must not reach anything else; Bundle::load names the mistake
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let sibling = root.join("..").join(name);
        if plain
            && !files.keys().any(|path| path.starts_with(&inside))
            && sibling.join("bundle.yaml").is_file()
        {
            walk(&boundary(&sibling)?, &sibling, &inside, &mut files, &mut left)?;
        }
    }
    Ok(files)
}

/// Where links may lead: the bundle's own folder.
fn boundary(root: &Path) -> Result<PathBuf, String> {
    root.canonicalize().map_err(|e| format!("{}: {e}", root.display()))
}

fn walk(
    boundary: &Path,
    folder: &Path,
    prefix: &str,
    files: &mut Files,
    left: &mut u64,
) -> Result<(), String> {
    let failed = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| failed(folder, e))? {
        entries.push(entry.map_err(|e| failed(folder, e))?.path());
    }
    entries.sort();
    for path in entries {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(format!("{}: the name is not UTF-8", path.display()));
        };
        if is_leftover(name) {
            continue;
        }
        let key = format!("{prefix}{name}");
        let real = path.canonicalize().map_err(|e| failed(&path, e))?;
        if !real.starts_with(boundary) {
            return Err(format!(
                "{}: a link that leads out of the bundle, to {}",
                path.display(),
                real.display()
            ));
        }
        let kind = fs::metadata(&path).map_err(|e| failed(&path, e))?;
        if kind.is_dir() {
            // two folders with links to each other would never end
            if path.is_symlink() {
                return Err(format!(
                    "{}: a link to a folder; only links to files are followed",
                    path.display()
                ));
            }
            walk(boundary, &path, &format!("{key}/"), files, left)?;
        } else if kind.is_file() {
            if kind.len() > MAX_FILE {
                return Err(format!("{}: larger than {} MiB", path.display(), MAX_FILE >> 20));
            }
            if files.len() >= MAX_FILES {
                return Err(format!("{}: more than {MAX_FILES} files", boundary.display()));
            }
            let content = fs::read(&path).map_err(|e| failed(&path, e))?;
            *left = left
                .checked_sub(content.len() as u64)
                .ok_or_else(|| format!("{}: larger than {} MiB", boundary.display(), MAX_TOTAL >> 20))?;
            files.insert(key, content);
        } else {
            return Err(format!("{}: neither a file nor a folder", path.display()));
        }
    }
    Ok(())
}

/// Hidden files and what editors and merges leave behind.
fn is_leftover(name: &str) -> bool {
    let backup = name.starts_with('#') && name.ends_with('#');
    name.starts_with('.')
        || backup
        || [".swp", ".swo", ".bak", ".orig", ".rej", ".tmp", "~"].iter().any(|end| name.ends_with(end))
}
