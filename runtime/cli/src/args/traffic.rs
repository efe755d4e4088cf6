//! `tollgate credential`, `upstream`, `policy` and `component`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
    /// Add an upstream, or change one: what is not given stays (to begin anew, delete it first)
    Set(UpstreamSet),
    /// List upstreams in the order in which they are tried
    List,
    /// Remove an upstream
    Delete { name: String },
}

#[derive(Debug, Default, Args)]
pub(crate) struct UpstreamSet {
    pub(crate) name: String,
    /// Provider component
    #[arg(long)]
    pub(crate) provider: String,
    /// Endpoint of the provider [default: its first]
    #[arg(long)]
    pub(crate) endpoint: Option<String>,
    /// Base URL instead of the endpoint's; a `/v1` at its end is not said twice
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
    /// Sign files for gateways that load signed components only (`components.trusted_keys`)
    Sign {
        /// The components; each is replaced by itself with a signature
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The signing key's file
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Print the public half of a signing key; make the key where there is none yet
    SigningKey {
        /// The signing key's file, for its owner alone
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}
