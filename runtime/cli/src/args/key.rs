//! `tollgate key` and `tollgate grant`.

use clap::{Args, Subcommand, ValueEnum};

use crate::when;

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a key; it is shown once
    Create {
        /// The account it belongs to, as path or id
        #[arg(long, default_value = "root")]
        account: String,
        #[arg(long, default_value = "")]
        label: String,
        #[command(flatten)]
        scope: Scope,
        /// Of no use before then: 2027-01-31, RFC 3339, or a span from now such as 12h
        #[arg(long, value_name = "TIME", value_parser = when::moment_or_span, allow_hyphen_values = true)]
        not_before: Option<u64>,
        /// Of no use from then on: 2027-01-31, RFC 3339, or a span from now such as 90d
        #[arg(long, value_name = "TIME", value_parser = when::moment_or_span, allow_hyphen_values = true)]
        expires: Option<u64>,
    },
    /// List keys, without their secrets
    List {
        /// Only those of this account and below
        #[arg(long)]
        account: Option<String>,
    },
    /// Show one key, without its secret
    Show { id: String },
    /// Make a successor that may do the same; the old key goes on for a while
    Rotate {
        id: String,
        /// How long: 0 (it stops now), or a span such as 30m, 24h, 7d
        #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = when::span, allow_hyphen_values = true)]
        grace: u64,
    },
    /// Stop a key; felt by the next request
    Revoke {
        id: String,
        /// End its streams that are under way, too; whole answers are finished
        #[arg(long)]
        kill: bool,
    },
}

/// What a key may do less than its account.
#[derive(Debug, Args)]
pub(crate) struct Scope {
    /// Models it may ask for, as names or patterns with `*`; repeat or separate with commas
    #[arg(long = "model", value_name = "MODEL", value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// Provider components that may serve it
    #[arg(long = "provider", value_name = "PROVIDER", value_delimiter = ',')]
    pub(crate) providers: Vec<String>,
    /// Operations it may call, such as `messages`
    #[arg(long = "endpoint", value_name = "OPERATION", value_delimiter = ',')]
    pub(crate) endpoints: Vec<String>,
    /// Networks it may be shown from, such as 10.0.0.0/8
    #[arg(long = "cidr", value_name = "NETWORK", value_delimiter = ',')]
    pub(crate) cidrs: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Grant {
    /// Give an account credit
    Add {
        account: String,
        /// In the base currency (12.50)
        #[arg(value_parser = crate::money::parse_credit, allow_negative_numbers = true)]
        amount: u64,
        /// New credit, or out of the wallet of the account above [default: the account above; for the root the treasury]
        #[arg(long, value_enum)]
        from: Option<Counterpart>,
        /// Of no use from then on: 2027-01-31, RFC 3339, or a span from now such as 30d; for new credit only
        #[arg(long, value_name = "TIME", value_parser = when::moment_or_span, allow_hyphen_values = true)]
        expires: Option<u64>,
        /// Repeated with the same key the command changes nothing [default: a new one]
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
    /// Take credit back, at most what is available
    Reclaim {
        account: String,
        /// In the base currency (12.50)
        #[arg(value_parser = crate::money::parse_credit, allow_negative_numbers = true)]
        amount: u64,
        /// Where it goes [default: the account above; from the root the treasury]
        #[arg(long, value_enum)]
        to: Option<Counterpart>,
        /// Repeated with the same key the command changes nothing [default: a new one]
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
    /// Show an account's wallet, or the whole ledger
    Show { account: Option<String> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Counterpart {
    /// The wallet of the account above
    Parent,
    /// Where all credit comes from and ends
    Treasury,
}
