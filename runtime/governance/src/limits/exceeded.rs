//! Why a request is refused by a limit or a wallet, and for how long.

use std::fmt;

use crate::account::LimitKind;
use crate::ids::AccountId;

/// What has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A limit of an account of the path.
    Limit(LimitKind),
    /// The wallet that pays.
    Wallet,
    /// What the ledger remembers: the request waited so long that one of its id may have been charged and forgotten. Sent
    /// again it is another request.
    Age,
}

impl Bound {
    /// Its name on usage rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Limit(kind) => kind.as_str(),
            Self::Wallet => "wallet",
            Self::Age => "age",
        }
    }
}

/// A request was refused by a limit. Its text shows no figure of any account, only how long to wait, and of the caller's own
/// limit whether it is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// What refuses longest.
    pub bound: Bound,
    /// The account that set it: for usage rows and operators, not for the caller unless `own`.
    pub account: AccountId,
    /// The models it is about; none: all.
    pub pattern: Option<Box<str>>,
    /// Whether it is the caller's own limit rather than one further up.
    pub own: bool,
    /// Nothing is used up: requests under way hold what is in the way, and most of it comes back when they end.
    pub is_held: bool,
    /// The limit is 0: it lets nothing in, however small.
    pub is_zero: bool,
    /// Exact wait; where it is only held, a short one, as nobody knows. None if waiting will not help: the request is
    /// larger than the limit itself, the limit is 0, or a wallet is empty.
    pub retry_after_ms: Option<u64>,
    /// Unix milliseconds at which `retry_after_ms` is over.
    pub resets_at_ms: Option<u64>,
}

impl Exceeded {
    /// Whether no wait would ever help, but a smaller request would: this one alone is larger than the limit.
    #[must_use]
    pub fn is_larger_than_limit(&self) -> bool {
        self.retry_after_ms.is_none() && self.bound != Bound::Wallet && !self.is_zero
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.bound {
            Bound::Wallet if self.is_held => "prepaid credit",
            Bound::Wallet => return f.write_str("the prepaid credit is used up"),
            Bound::Age => return f.write_str("the request waited too long; send it again"),
            Bound::Limit(LimitKind::Rpm) => "limit of requests per minute",
            Bound::Limit(LimitKind::Rph) => "limit of requests per hour",
            Bound::Limit(LimitKind::Rpd) => "limit of requests per day",
            Bound::Limit(LimitKind::Tpm) => "limit of tokens per minute",
            Bound::Limit(LimitKind::Tph) => "limit of tokens per hour",
            Bound::Limit(LimitKind::Tpd) => "limit of tokens per day",
            Bound::Limit(LimitKind::Concurrency) => "limit of requests at a time",
            Bound::Limit(LimitKind::DailyLimit) => "daily budget",
            Bound::Limit(LimitKind::MonthlyLimit) => "monthly budget",
        };
        match self.retry_after_ms {
            Some(wait) if self.is_held => {
                let seconds = wait.div_ceil(1_000);
                write!(
                    f,
                    "the {what} is held by requests under way; try again in {seconds} s"
                )
            }
            Some(wait) => {
                let seconds = wait.div_ceil(1_000);
                write!(f, "the {what} is reached; try again in {seconds} s")
            }
            None if self.is_zero && self.own => {
                write!(f, "the {what} is zero and lets nothing in")
            }
            None if self.is_zero => write!(f, "the {what} lets nothing in"),
            None => write!(f, "the request is larger than the whole {what}"),
        }
    }
}

impl std::error::Error for Exceeded {}
