//! Output formats.

use clap::ValueEnum;

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// Names only.
    Name,
}

/// Output formats of what has no names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

impl From<Document> for Output {
    fn from(format: Document) -> Self {
        match format {
            Document::Json => Self::Json,
            Document::Yaml => Self::Yaml,
        }
    }
}
