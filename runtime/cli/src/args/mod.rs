//! What can be typed after `tollgate`.

mod account;
mod audit;
mod key;
mod token;
mod traffic;
mod usage;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use account::{Account, Boundaries, Boundary, KeepAnswers, Limit};
pub(crate) use audit::Audit;
pub(crate) use key::{Counterpart, Grant, Key, Scope};
pub(crate) use token::{Role, Token};
pub(crate) use traffic::{Component, Credential, Policy, Upstream, UpstreamSet};
pub(crate) use usage::{Export, Filter, Lines, Rows, Usage, UsageCommand};

/// An AI gateway that is extended by WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, about, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the gateway is.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// Configuration file [default: tollgate.toml here, if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "TOLLGATE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Data directory, instead of the configuration's
    #[arg(long, global = true, value_name = "DIR", env = "TOLLGATE_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Management address of a running gateway, as http://HOST:PORT [default: the one that runs on the data directory]
    #[arg(long, global = true, value_name = "URL", env = "TOLLGATE_MANAGEMENT")]
    pub(crate) management: Option<String>,
    /// Print JSON instead of a table
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway until it is told to stop
    Serve(Serve),
    /// Make the data directory, the master key and the management token
    Init(Init),
    /// The tree of accounts
    #[command(subcommand)]
    Account(Account),
    /// Inference keys
    #[command(subcommand)]
    Key(Key),
    /// Management tokens of accounts: each manages what is below its account, and sees nothing else
    #[command(subcommand)]
    Token(Token),
    /// Limits of accounts
    #[command(subcommand)]
    Limit(Limit),
    /// Prepaid credit
    #[command(subcommand)]
    Grant(Grant),
    /// Upstream credentials; their secrets go in and never come out
    #[command(subcommand)]
    Credential(Credential),
    /// Upstreams: where model traffic goes
    #[command(subcommand)]
    Upstream(Upstream),
    /// Policies attached to accounts
    #[command(subcommand)]
    Policy(Policy),
    /// WebAssembly components
    #[command(subcommand)]
    Component(Component),
    /// What was used, by whom, at what cost
    Usage(Usage),
    /// What management did: a log that shows when somebody changes it
    #[command(subcommand)]
    Audit(Audit),
    /// Write a backup of a running gateway into a folder of its machine
    Backup {
        /// New or empty
        folder: PathBuf,
    },
    /// Make the store of the data directory from a backup; the data directory must have none
    Restore {
        /// A folder that `tollgate backup` wrote
        folder: PathBuf,
    },
    /// Look for what is wrong with this installation
    Doctor,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Make a key and an upstream that answers by itself, and print settings for well-known clients
    #[arg(long)]
    pub(crate) quickstart: bool,
    /// Address of the data plane, instead of the configuration's
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Address of the management API, instead of the configuration's
    #[arg(long, value_name = "ADDR")]
    pub(crate) management_listen: Option<std::net::SocketAddr>,
    /// Folder of components, instead of the configuration's
    #[arg(long, value_name = "DIR")]
    pub(crate) components: Option<PathBuf>,
    /// What to log: a level, or `module=level` pairs
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        env = "TOLLGATE_LOG"
    )]
    pub(crate) log: String,
    /// How to log; always on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Make a new management token of the operator; the old one stops working (the gateway must not be running)
    #[arg(long)]
    pub(crate) new_token: bool,
}

/// Reads how many; clap says of `-5` no more than that a digit is wrong.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let most = u64::MAX;
    let is_count = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(count) if is_count => Ok(count),
        _ if is_count => Err(format!("{text:?} is too large: at most {most}")),
        _ => Err(format!(
            "{text:?} is not a whole number from 0 on, such as 60"
        )),
    }
}

pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_value_below_zero_is_refused_as_a_value_and_not_taken_for_an_option() {
        for (line, why) in [
            ("limit set root --rpm -5", "not a whole number"),
            ("limit set root --concurrency -1", "not a whole number"),
            ("limit set root --daily-limit -1", "not an amount"),
            ("account update root --output-cap -1", "not a whole number"),
            ("account create a --default-output -1", "not a whole number"),
            ("key rotate 1 --grace -1h", "not a span"),
            ("key create --expires -1d", "not a span"),
            (
                "token create --account a --role read --expires -1d",
                "not a span",
            ),
        ] {
            let words = std::iter::once("tollgate").chain(line.split(' '));
            let refused = Cli::try_parse_from(words).err();
            let refused = refused.expect("it is refused").to_string();
            let value = line.split(' ').next_back().unwrap();
            for word in [value, why] {
                assert!(refused.contains(word), "{line}: {refused}");
            }
        }
    }

    #[test]
    fn how_many_is_a_whole_number() {
        assert_eq!(count("0"), Ok(0));
        assert_eq!(count("18446744073709551615"), Ok(u64::MAX));
        let large = count("18446744073709551616").unwrap_err();
        assert!(large.ends_with("at most 18446744073709551615"), "{large}");
        for text in ["", "-1", "+1", "1.5", "1k", " 1"] {
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_secret_can_be_an_argument() {
        let credential = Cli::command()
            .find_subcommand("credential")
            .unwrap()
            .clone();
        let set = credential.find_subcommand("set").unwrap();
        let names: Vec<_> = set
            .get_arguments()
            .map(|a| a.get_id().as_str().to_owned())
            .collect();
        assert_eq!(names, ["name", "fields"]);
    }
}
