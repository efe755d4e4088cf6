//! `tollgate usage`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::when;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Usage {
    #[command(subcommand)]
    pub(crate) command: Option<UsageCommand>,
    #[command(flatten)]
    pub(crate) rows: Rows,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UsageCommand {
    /// Requests one by one, newest first (what `tollgate usage` alone shows, too)
    Rows(Rows),
    /// Requests added up
    Report(Lines),
    /// All requests that fit, oldest first, for other programs
    Export(Export),
}

#[derive(Debug, Args)]
pub(crate) struct Rows {
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Rows to show, newest first
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Lines {
    /// What lines are told apart by: any of account, key, provider, model, tag:NAME
    #[arg(long, value_delimiter = ',')]
    pub(crate) by: Vec<String>,
    /// One line for each hour or day [default: the whole time together]
    #[arg(long, value_enum)]
    pub(crate) span: Option<Span>,
    #[command(flatten)]
    pub(crate) filter: Filter,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// How to write them
    #[arg(long, value_enum)]
    pub(crate) format: Format,
    /// A new file to write them to, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) filter: Filter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// With a heading, for spreadsheets
    Csv,
    /// A row in a line, as `--json` shows it
    Jsonl,
    /// FOCUS 1.2 as CSV, for cost tools
    Focus,
    /// A row in a line, named as in OpenTelemetry's conventions for generative AI
    Otel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Span {
    Hour,
    Day,
}

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Only this account and all below it, as path or id; an id may be of an account that is gone
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// From this moment on: a day such as 2026-01-31 (it begins at midnight UTC), RFC 3339, milliseconds since 1970, or how
    /// long ago, such as 24h
    #[arg(long, value_name = "TIME", value_parser = when::moment_or_ago)]
    pub(crate) since: Option<u64>,
    /// Before this moment
    #[arg(long, value_name = "TIME", value_parser = when::moment_or_ago)]
    pub(crate) until: Option<u64>,
    /// Only this model, as the account knows it: mapped, else requested
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Only this provider component
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Only the key of this id
    #[arg(long, value_name = "ID")]
    pub(crate) key: Option<String>,
    /// Only what is tagged so
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) tag: Option<String>,
}
