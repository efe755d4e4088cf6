//! `tollgate account` and `tollgate limit`.

use clap::{Args, Subcommand, ValueEnum};

use super::{count, pair};

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Add an account below another
    Create {
        name: String,
        /// The account above, as path or id [default: the root, or the account of the token]
        #[arg(long)]
        parent: Option<String>,
        #[command(flatten)]
        boundaries: Boundaries,
    },
    /// List the tree
    List {
        /// Only this account and all below it, as path or id
        account: Option<String>,
        /// Accounts that were deleted, instead of the tree
        #[arg(long, conflicts_with = "account")]
        archived: bool,
    },
    /// Show one account and what takes effect on it, with the account that decides
    Show { account: String },
    /// Change an account; what is not given stays
    Update {
        account: String,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        boundaries: Boundaries,
        /// Let the account and all below it make requests again
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Refuse all requests of the account and of all below it
        #[arg(long)]
        disable: bool,
        /// Take a boundary away; repeat or separate with commas
        #[arg(long, value_enum, value_delimiter = ',')]
        unset: Vec<Boundary>,
    },
    /// Move an account and all below it under another
    Move {
        account: String,
        /// The account above from now on, as path or id
        #[arg(long, value_name = "ACCOUNT")]
        to: String,
    },
    /// Refuse all requests of an account and of all below it
    Suspend { account: String },
    /// Let an account and all below it make requests again
    Resume { account: String },
    /// Delete an account: new requests are refused, those under way end, its credit goes to the account above
    Delete {
        account: String,
        /// What happens to what hangs on it
        #[arg(long, value_enum, default_value_t = Mode::Refuse)]
        mode: Mode,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Only if no account, active key, credit or request hangs on it
    Refuse,
    /// All below it is deleted, too
    Cascade,
    /// What is below it moves up
    Reparent,
}

#[derive(Debug, Args)]
pub(crate) struct Boundaries {
    /// Models allowed, as names or patterns with `*`; repeat or separate with commas; '' allows none
    #[arg(long = "model", value_name = "MODEL", value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// Models refused, whatever is allowed
    #[arg(long = "deny-model", value_name = "MODEL", value_delimiter = ',')]
    pub(crate) denied_models: Vec<String>,
    /// Provider components that may serve it; '' for none
    #[arg(long = "provider", value_name = "PROVIDER", value_delimiter = ',')]
    pub(crate) providers: Vec<String>,
    /// Operations it may call, such as `messages`; '' for none
    #[arg(long = "endpoint", value_name = "OPERATION", value_delimiter = ',')]
    pub(crate) endpoints: Vec<String>,
    /// Networks its clients may come from, such as 10.0.0.0/8; '' for none
    #[arg(long = "cidr", value_name = "NETWORK", value_delimiter = ',')]
    pub(crate) cidrs: Vec<String>,
    /// What is served for a model asked for, as ASKED=SERVED; ASKED may be a pattern; repeat for more
    #[arg(long = "map", value_name = "ASKED=SERVED", value_parser = pair)]
    pub(crate) model_map: Vec<(String, String)>,
    /// Output tokens that an answer may have at most
    #[arg(long, value_name = "TOKENS", value_parser = count, allow_negative_numbers = true)]
    pub(crate) output_cap: Option<u64>,
    /// Output tokens that are held for where a client sets no cap
    #[arg(long, value_name = "TOKENS", value_parser = count, allow_negative_numbers = true)]
    pub(crate) default_output: Option<u64>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// What its prices are multiplied by, such as 1.2
    #[arg(long, value_name = "FACTOR", value_parser = crate::money::parse_factor, allow_negative_numbers = true)]
    pub(crate) price_factor: Option<u64>,
    /// What happens to an answer when the budget is used up
    #[arg(long, value_enum)]
    pub(crate) on_exhaust: Option<OnExhaust>,
    /// Whether what is held is the most that an answer may cost
    #[arg(long, value_enum)]
    pub(crate) budget_mode: Option<BudgetMode>,
    /// Who pays: its own wallet, or nobody in advance
    #[arg(long, value_enum)]
    pub(crate) billing: Option<Billing>,
    /// Whether the gateway may keep answers and prompts, for clients that go on from them; `no` holds for all below it
    #[arg(long, value_enum)]
    pub(crate) keep_answers: Option<KeepAnswers>,
    /// Zone in which its days and months begin, such as Europe/Berlin; for the root only, from the next midnight on
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
    /// A friendlier name
    #[arg(long)]
    pub(crate) alias: Option<String>,
    /// Whom to write to
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// A tag as NAME=VALUE; repeat for more; replaces all tags
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) tags: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct Limits {
    /// Requests a minute, for the whole subtree, as all limits
    #[arg(long, value_name = "REQUESTS", value_parser = count, allow_negative_numbers = true)]
    pub(crate) rpm: Option<u64>,
    /// Requests an hour
    #[arg(long, value_name = "REQUESTS", value_parser = count, allow_negative_numbers = true)]
    pub(crate) rph: Option<u64>,
    /// Requests a calendar day
    #[arg(long, value_name = "REQUESTS", value_parser = count, allow_negative_numbers = true)]
    pub(crate) rpd: Option<u64>,
    /// Tokens a minute
    #[arg(long, value_name = "TOKENS", value_parser = count, allow_negative_numbers = true)]
    pub(crate) tpm: Option<u64>,
    /// Tokens an hour
    #[arg(long, value_name = "TOKENS", value_parser = count, allow_negative_numbers = true)]
    pub(crate) tph: Option<u64>,
    /// Tokens a calendar day
    #[arg(long, value_name = "TOKENS", value_parser = count, allow_negative_numbers = true)]
    pub(crate) tpd: Option<u64>,
    /// Requests at a time
    #[arg(long, value_name = "REQUESTS", value_parser = count, allow_negative_numbers = true)]
    pub(crate) concurrency: Option<u64>,
    /// Money a calendar day, in the base currency (12.50)
    #[arg(long, value_name = "AMOUNT", value_parser = crate::money::parse_limit, allow_negative_numbers = true)]
    pub(crate) daily_limit: Option<u64>,
    /// Money a calendar month, in the base currency (300)
    #[arg(long, value_name = "AMOUNT", value_parser = crate::money::parse_limit, allow_negative_numbers = true)]
    pub(crate) monthly_limit: Option<u64>,
}

impl Limits {
    /// Those that were given, by their names in the API.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("rpm", self.rpm),
            ("rph", self.rph),
            ("rpd", self.rpd),
            ("tpm", self.tpm),
            ("tph", self.tph),
            ("tpd", self.tpd),
            ("concurrency", self.concurrency),
            ("daily_limit", self.daily_limit),
            ("monthly_limit", self.monthly_limit),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnExhaust {
    /// It may finish
    Finish,
    /// It is ended with an error
    Cut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BudgetMode {
    /// The vendor is told to write no more than is held for
    Strict,
    /// A running answer may cost more than the budget has
    Soft,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Billing {
    /// A wallet, topped up with `tollgate grant add`
    Prepaid,
    /// Usage is the bill
    Postpaid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeepAnswers {
    /// Where no account above says no
    Yes,
    /// Nothing of them
    No,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Boundary {
    // As the options that set them are called, too.
    #[value(alias = "model")]
    Models,
    #[value(alias = "deny-model")]
    DeniedModels,
    #[value(alias = "provider")]
    Providers,
    #[value(alias = "endpoint")]
    Endpoints,
    #[value(alias = "cidr")]
    Cidrs,
    #[value(alias = "map")]
    ModelMap,
    OutputCap,
    DefaultOutput,
    PriceFactor,
    OnExhaust,
    BudgetMode,
    Billing,
    KeepAnswers,
    TimeZone,
    Alias,
    Email,
    #[value(alias = "tag")]
    Tags,
    Rpm,
    Rph,
    Rpd,
    Tpm,
    Tph,
    Tpd,
    Concurrency,
    DailyLimit,
    MonthlyLimit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Rpm,
    Rph,
    Rpd,
    Tpm,
    Tph,
    Tpd,
    Concurrency,
    // As the tables and the API write them, too.
    #[value(alias = "daily_limit")]
    DailyLimit,
    #[value(alias = "monthly_limit")]
    MonthlyLimit,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Limit {
    /// Show every limit that an account's requests must fit, with what is used
    Show { account: String },
    /// Set limits of an account
    Set {
        account: String,
        #[command(flatten)]
        limits: Limits,
        /// For these models only, as a name or pattern with `*`; in addition to the limits for all models
        #[arg(long = "for", value_name = "MODEL")]
        pattern: Option<String>,
    },
    /// Take limits of an account away
    Unset {
        account: String,
        /// Which; with --for all of that pattern if none is named
        #[arg(value_enum, required_unless_present_any = ["pattern", "all"])]
        kinds: Vec<Kind>,
        /// Those for these models only
        #[arg(long = "for", value_name = "MODEL")]
        pattern: Option<String>,
        /// All limits that the account sets, those for some models too
        #[arg(long, conflicts_with_all = ["kinds", "pattern"])]
        all: bool,
    },
}
