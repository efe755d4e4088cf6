//! `tollgate token`.

use clap::{Subcommand, ValueEnum};

use crate::when;

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token of an account; it is shown once
    Create {
        /// The account, as path or id: the token sees it and all below it, and manages what is below it
        #[arg(long)]
        account: String,
        /// What the token may do
        #[arg(long, value_enum)]
        role: Role,
        #[arg(long, default_value = "")]
        label: String,
        /// Of no use from then on: 2027-01-31, RFC 3339, or a span from now such as 90d
        #[arg(long, value_name = "TIME", value_parser = when::moment_or_span, allow_hyphen_values = true)]
        expires: Option<u64>,
    },
    /// List tokens, without their secrets
    List {
        /// Only those of this account and below
        #[arg(long)]
        account: Option<String>,
    },
    /// Show one token, without its secret
    Show { id: String },
    /// Stop a token; felt by the next request
    Revoke { id: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Look at its account, and manage what is below it
    Manage,
    /// Look
    Read,
}
