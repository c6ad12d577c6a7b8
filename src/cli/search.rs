//! `search`: lines in the stored logs.

use clap::{Args, ValueEnum};

/// `search`
#[derive(Debug, Args)]
#[command(
    after_help = "All conditions must hold:\n  timeout \"connection reset\"   the line holds this; -word: it does not; capitals do not count\n  path=/checkout path!=/ping   a field of the application is this, is not; * stands for anything\n  user_id=~\"u1|u2\"             a regular expression fits the whole field\n  duration>1000 level>=warn    numbers and levels have an order\n  path=* path=                 the field is there, is not there\n  namespace pod container app node stream level   are known of every line\n\nExamples:\n  kubectl obs search 'level=error path=/checkout' --app shop\n  kubectl obs search 'request_id=4c1e7a90' --since 2d\n  kubectl obs search '\"connection reset\" -health' --in shop -f\n  kubectl obs search --lucene 'level:error AND duration:>1000' --show-query"
)]
pub struct Search {
    /// What to look for; all lines when absent. Several arguments are one query
    #[arg(value_name = "QUERY", conflicts_with_all = ["logql", "lucene"])]
    pub query: Vec<String>,
    /// Lines of pods in this namespace; * stands for anything
    #[arg(long = "in", value_name = "NAMESPACE", conflicts_with_all = ["logql", "lucene"])]
    pub within: Option<String>,
    /// Lines of this pod; * stands for anything
    #[arg(long, value_name = "POD", conflicts_with_all = ["logql", "lucene"])]
    pub pod: Option<String>,
    /// Lines of this container; * stands for anything
    #[arg(long, value_name = "CONTAINER", conflicts_with_all = ["logql", "lucene"])]
    pub container: Option<String>,
    /// Lines of this application; * stands for anything
    #[arg(long, value_name = "APP", conflicts_with_all = ["logql", "lucene"])]
    pub app: Option<String>,
    /// From when on: 30m, 3d, or 2026-11-21T17:00:00Z; 1h when absent
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Until when, written the same way; now when absent
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    pub until: Option<String>,
    /// How many lines at most, the newest; 200 when absent, 10 with -f
    #[arg(long, value_name = "N", value_parser = limit)]
    pub limit: Option<usize>,
    /// Go on with what comes, until Ctrl-C; the oldest line is then the first
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// The store to ask, where there are several
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
    /// A query in Loki's own language
    #[arg(long, value_name = "QUERY", conflicts_with = "lucene")]
    pub logql: Option<String>,
    /// A query in Lucene's syntax, for OpenSearch and Elasticsearch
    #[arg(long, value_name = "QUERY")]
    pub lucene: Option<String>,
    /// Print the query in the store's language and where it would go; the store is not asked
    #[arg(long, conflicts_with = "follow")]
    pub show_query: bool,
    /// Print as json: one document, or with -f one for each line
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<SearchOutput>,
}

/// Output formats of `search`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SearchOutput {
    /// One JSON document, or one for each line.
    Json,
}

fn limit(text: &str) -> Result<usize, String> {
    let most = crate::search::MOST;
    text.parse()
        .ok()
        .filter(|limit| (1..=most).contains(limit))
        .ok_or(format!("it is not a number from 1 to {most}"))
}
