//! What can be typed after `tollgate`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Make a new management token; the old one stops working (the gateway must not be running)
    #[arg(long)]
    pub(crate) new_token: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Limits {
    /// Models allowed, as names or patterns with `*`; repeat or separate with commas
    #[arg(long = "model", value_name = "MODEL", value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// Requests a minute, for the whole subtree
    #[arg(long)]
    pub(crate) rpm: Option<u64>,
    /// Money a calendar day for the whole subtree, in the base currency (12.50)
    #[arg(long, value_name = "AMOUNT", value_parser = crate::money::parse)]
    pub(crate) daily_limit: Option<u64>,
    /// A tag as NAME=VALUE; repeat for more
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) tags: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Add an account below another
    Create {
        name: String,
        /// The account above, as path or id
        #[arg(long, default_value = "root")]
        parent: String,
        #[command(flatten)]
        limits: Limits,
    },
    /// List the tree
    List,
    /// Show one account and what takes effect on it
    Show { account: String },
    /// Change an account; what is not given stays
    Update {
        account: String,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        limits: Limits,
        /// Let the account and all below it make requests again
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Refuse all requests of the account and of all below it
        #[arg(long)]
        disable: bool,
        /// Take a boundary away
        #[arg(long, value_enum, value_delimiter = ',')]
        unset: Vec<Boundary>,
    },
    /// Delete an account on which no account and no active key hangs
    Delete { account: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Boundary {
    Models,
    Rpm,
    DailyLimit,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a key; it is shown once
    Create {
        /// The account it belongs to, as path or id
        #[arg(long, default_value = "root")]
        account: String,
        #[arg(long, default_value = "")]
        label: String,
    },
    /// List keys, without their secrets
    List {
        /// Only those of this account and below
        #[arg(long)]
        account: Option<String>,
    },
    /// Stop a key; felt by the next request
    Revoke { id: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Credential {
    /// Store a credential; secrets are asked for, or read from standard input as lines FIELD=SECRET
    Set {
        name: String,
        /// Field to ask for; repeat for more
        #[arg(long = "field", default_value = "api-key")]
        fields: Vec<String>,
    },
    /// List names and field names
    List,
    /// Forget a credential
    Delete { name: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Upstream {
    /// Add or replace an upstream
    Set(UpstreamSet),
    /// List upstreams in the order in which they are tried
    List,
    /// Remove an upstream
    Delete { name: String },
}

#[derive(Debug, Args)]
pub(crate) struct UpstreamSet {
    pub(crate) name: String,
    /// Provider component
    #[arg(long)]
    pub(crate) provider: String,
    /// Endpoint of the provider [default: its first]
    #[arg(long)]
    pub(crate) endpoint: Option<String>,
    /// Base URL instead of the endpoint's
    #[arg(long)]
    pub(crate) base_url: Option<String>,
    /// Name of a stored credential
    #[arg(long)]
    pub(crate) credential: Option<String>,
    /// A label that routing policies read
    #[arg(long)]
    pub(crate) tier: Option<String>,
    /// Higher is tried first
    #[arg(long)]
    pub(crate) priority: Option<i64>,
    /// A model beyond the provider's own, as NAME or NAME=UPSTREAM_NAME; repeat for more
    #[arg(long = "model", value_name = "MODEL")]
    pub(crate) models: Vec<String>,
    /// The models as a JSON array, with prices and all, instead of --model
    #[arg(long, value_name = "JSON", conflicts_with = "models")]
    pub(crate) models_json: Option<String>,
    /// The component's configuration: JSON, or @FILE
    #[arg(long = "component-config", value_name = "JSON")]
    pub(crate) component_config: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Attach a policy component to an account and all below it
    Attach {
        /// Name of the attachment
        id: String,
        /// Policy component, by its file's name without `.wasm`
        #[arg(long)]
        component: String,
        /// The account, as path or id
        #[arg(long, default_value = "root")]
        account: String,
        /// The component's configuration: JSON, or @FILE
        #[arg(long = "component-config", value_name = "JSON", default_value = "{}")]
        component_config: String,
        /// Among the attachments of one account, lower runs first
        #[arg(long)]
        order: Option<i64>,
    },
    /// List attachments
    List,
    /// Detach a policy
    Detach { id: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Component {
    /// List what is loaded and what failed to load, with the reason
    List,
}

#[derive(Debug, Args)]
pub(crate) struct Usage {
    /// Only this account and all below it, as path or id
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// From this moment on: RFC 3339 or milliseconds since 1970
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this moment
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Rows to show, newest first
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
}

fn pair(text: &str) -> Result<(String, String), String> {
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
