//! The flags that say which values a bundle gets.

use clap::Args;

/// Which values to use.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Values")]
pub struct Values {
    /// YAML file with values, - for standard input; can be repeated, the last one wins
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    pub files: Vec<String>,
    /// Set a value
    #[arg(
        long,
        value_name = "KEY=VALUE",
        help = "Set a value: key=value, a.b=c, list[0]=x, a={x,y}, a=null deletes"
    )]
    pub set: Vec<String>,
    /// Set a value that is always a string
    #[arg(long, value_name = "KEY=VALUE")]
    pub set_string: Vec<String>,
    /// Set a value from a file's content
    #[arg(long, value_name = "KEY=PATH")]
    pub set_file: Vec<String>,
    /// Set a value to exactly the text after the first =
    #[arg(long, value_name = "KEY=TEXT")]
    pub set_literal: Vec<String>,
    /// Set a value from JSON
    #[arg(long, value_name = "KEY=JSON")]
    pub set_json: Vec<String>,
    /// Profile of the bundle (see bundle show)
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}
