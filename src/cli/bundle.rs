//! The verbs about bundles, which need no cluster.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Output, Values};

/// `template`
#[derive(Debug, Args)]
pub struct Template {
    /// The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
    #[arg(value_name = "BUNDLE", default_value = "stack")]
    pub bundle: String,
    /// Kubernetes version to render for
    #[arg(long, value_name = "VERSION", default_value = "1.34.0")]
    pub kube_version: String,
    /// Print the values of Secrets, too; masked otherwise
    #[arg(long)]
    pub show_secrets: bool,
    /// Print as yaml, json (one object per line) or names
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
    /// Values.
    #[command(flatten)]
    pub values: Values,
}

/// `bundle …`
#[derive(Debug, Subcommand)]
pub enum Bundle {
    /// Print what a bundle is: versions, components, profiles
    Show(BundleShow),
    /// Print the commented default values
    Values(BundleRef),
    /// Print the images that a bundle uses
    Images(BundleImages),
    /// Make a bundle's archive, the same bytes every time
    Package(BundlePackage),
    /// Check a bundle for mistakes
    Lint(BundleRef),
}

/// A bundle.
#[derive(Debug, Args)]
pub struct BundleRef {
    /// The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
    #[arg(value_name = "BUNDLE", default_value = "stack")]
    pub bundle: String,
}

/// `bundle show`
#[derive(Debug, Args)]
pub struct BundleShow {
    /// The bundle.
    #[command(flatten)]
    pub bundle: BundleRef,
    /// Print as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
}

/// `bundle images`
#[derive(Debug, Args)]
pub struct BundleImages {
    /// The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
    #[arg(value_name = "BUNDLE", default_value = "stack")]
    pub bundle: String,
    /// Images of components that are off by default, too
    #[arg(long)]
    pub all: bool,
}

/// `bundle package`
#[derive(Debug, Args)]
pub struct BundlePackage {
    /// The bundle.
    #[command(flatten)]
    pub bundle: BundleRef,
    /// Folder to write the archive to
    #[arg(short = 'd', long, value_name = "DIR", default_value = ".")]
    pub destination: PathBuf,
}
