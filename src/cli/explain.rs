//! The verb that follows one thing on its way.

use clap::{Args, Subcommand};

use super::{Document, Output};

/// `explain …`
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Exit codes: 0 no link is broken, 3 one is.\n\nExamples:\n  kubectl obs explain metrics shop/deploy/checkout\n  kubectl obs explain logs shop/deploy/checkout\n  kubectl obs explain alert HighErrorRate"
)]
pub enum Explain {
    /// Why the metrics of an application arrive or do not: link by link to the one that is broken
    Metrics(ExplainMetrics),
    /// Why the log lines of an application are found or not: link by link to the one that is broken
    Logs(ExplainLogs),
    /// Why somebody is told of an alert or is not: link by link to the one that is broken
    Alert(ExplainAlert),
}

impl Explain {
    pub(super) fn output(&self) -> Option<Output> {
        let output = match self {
            Self::Metrics(ExplainMetrics { output, .. })
            | Self::Logs(ExplainLogs { output, .. })
            | Self::Alert(ExplainAlert { output, .. }) => output,
        };
        output.map(Output::from)
    }
}

/// `explain metrics`
#[derive(Debug, Args)]
#[command(
    after_help = "A target is an app of the values, a component, a workload, a Service or a pod: NAME,\nKIND/NAME, NAMESPACE/NAME or NAMESPACE/KIND/NAME.\n\nExamples:\n  kubectl obs explain metrics checkout\n  kubectl obs explain metrics shop/deploy/checkout\n  kubectl obs explain metrics pod/orders-0 -o json"
)]
pub struct ExplainMetrics {
    /// Whose metrics
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// Print as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Document>,
}

/// `explain logs`
#[derive(Debug, Args)]
#[command(
    after_help = "A target is an app of the values, a component, a workload, a Service or a pod: NAME,\nKIND/NAME, NAMESPACE/NAME or NAMESPACE/KIND/NAME.\n\nExamples:\n  kubectl obs explain logs checkout\n  kubectl obs explain logs shop/deploy/checkout -o json"
)]
pub struct ExplainLogs {
    /// Whose logs
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// Print as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Document>,
}

/// `explain alert`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  kubectl obs explain alert TargetDown\n  kubectl obs explain alert HighErrorRate -o json"
)]
pub struct ExplainAlert {
    /// The alert's name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Print as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Document>,
}
