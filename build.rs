//! Packs each bundle of `charts/` into `OUT_DIR` with the archive writer of the crate itself, and
//! generates the table that `src/bundle/embedded.rs` includes. The same sources give the same
//! bytes, whatever their times, modes and place.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

#[path = "src/bundle/archive.rs"]
#[expect(dead_code, reason = "the reader in it is not needed here")]
mod archive;
#[path = "src/ops/folder.rs"]
mod folder;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=charts");
    println!("cargo::rerun-if-changed=src/bundle/archive.rs");
    println!("cargo::rerun-if-changed=src/ops/folder.rs");

    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    let mut table = String::from("static EMBEDDED: &[(&str, &[u8])] = &[\n");
    for name in bundles(Path::new("charts")) {
        let root = Path::new("charts").join(&name);
        let files = folder::read(&root, &components(&root)).map_err(|e| format!("charts/{name}: {e}"))?;
        let bytes = archive::pack(&files).map_err(|e| format!("charts/{name}: {e}"))?;
        let file = out.join(format!("{name}.tgz"));
        fs::write(&file, bytes).map_err(|e| format!("{}: {e}", file.display()))?;
        table.push_str(&format!("    ({name:?}, include_bytes!({:?})),\n", file.display().to_string()));
    }
    table.push_str("];\n");
    fs::write(out.join("embedded.rs"), table)?;
    Ok(())
}

/// The folders with a bundle, sorted; none when there is no `charts/`.
fn bundles(charts: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(charts) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| charts.join(name).join("bundle.yaml").is_file())
        .collect();
    names.sort();
    names
}

/// The components that bundle.yaml lists. There is no YAML parser here, and our own files need
/// none: the list is the top-level key `components`, its items name siblings. A test compares the
/// outcome with the real parser's.
fn components(root: &Path) -> Vec<String> {
    let text = fs::read_to_string(root.join("bundle.yaml")).unwrap_or_default();
    let list: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("components:"))
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with([' ', '-', '#']))
        .collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let Some(first) = list.iter().find(|line| line.trim_start().starts_with('-')) else { return Vec::new() };
    list.iter()
        // deeper lists are in the components' values
        .filter(|line| indent(line) == indent(first))
        .filter_map(|line| line.trim_start().strip_prefix("- name:"))
        .map(|name| name.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned())
        .collect()
}
