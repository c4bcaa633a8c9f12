//! Flags of every command.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::ui::ColorChoice;

/// Flags of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct GlobalArgs {
    /// Run as if started in this directory
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub(super) directory: Option<PathBuf>,
    /// Configuration file [default: release.yaml, found upwards]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
    /// Format of the answer on stdout
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    pub(super) format: Format,
    /// Write the answer to a file, whole or not at all; - is stdout
    #[arg(short, long, value_name = "FILE", global = true)]
    pub(super) output: Option<PathBuf>,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN", global = true)]
    pub(super) color: ColorChoice,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Say what is being worked on
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(super) verbose: bool,
    #[command(flatten)]
    pub(super) network: NetworkArgs,
}

/// Flags of everything that goes over the network.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct NetworkArgs {
    /// Open no connection to anywhere
    #[arg(long, global = true, help_heading = "Network options")]
    pub(super) offline: bool,
    /// Trust the certificate authorities in this file as well, PEM
    #[arg(long, value_name = "FILE", global = true, help_heading = "Network options")]
    pub(super) ca_file: Option<PathBuf>,
    /// Speak to registries without encryption and without a login; this machine needs no flag
    #[arg(long, global = true, help_heading = "Network options")]
    pub(super) plain_http: bool,
    /// Take logins from this file only [default: those of docker and podman]
    #[arg(long, value_name = "FILE", global = true, help_heading = "Network options")]
    pub(super) authfile: Option<PathBuf>,
    /// Most requests to one host at a time
    #[arg(long, value_name = "N", default_value = "8", global = true, help_heading = "Network options")]
    pub(super) jobs: NonZeroUsize,
    /// Write what happens to a file, a line of JSON each; - is stderr
    #[arg(long, value_name = "FILE", global = true, help_heading = "Network options")]
    pub(super) events: Option<PathBuf>,
}

/// Format of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs: `{schema, ok, data, diagnostics}`
    Json,
    /// For release pages and step summaries
    Markdown,
    /// For code scanning
    Sarif,
    /// Workflow commands of GitHub Actions
    Github,
    /// For test reports
    Junit,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Sarif => "sarif",
            Self::Github => "github",
            Self::Junit => "junit",
        })
    }
}
