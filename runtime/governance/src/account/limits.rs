//! The limits that can be set on an account, each for its whole subtree.

use serde::{Deserialize, Deserializer, Serialize};

/// One kind of limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Requests in any 60 seconds.
    Rpm,
    /// Requests in any hour.
    Rph,
    /// Requests a calendar day.
    Rpd,
    /// Tokens in any 60 seconds.
    Tpm,
    /// Tokens in any hour.
    Tph,
    /// Tokens a calendar day.
    Tpd,
    /// Requests at a time.
    Concurrency,
    /// Money a calendar day.
    DailyLimit,
    /// Money a calendar month.
    MonthlyLimit,
}

impl LimitKind {
    /// Every kind, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Rpm,
        Self::Rph,
        Self::Rpd,
        Self::Tpm,
        Self::Tph,
        Self::Tpd,
        Self::Concurrency,
        Self::DailyLimit,
        Self::MonthlyLimit,
    ];

    /// Its name in the management API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rpm => "rpm",
            Self::Rph => "rph",
            Self::Rpd => "rpd",
            Self::Tpm => "tpm",
            Self::Tph => "tph",
            Self::Tpd => "tpd",
            Self::Concurrency => "concurrency",
            Self::DailyLimit => "daily_limit",
            Self::MonthlyLimit => "monthly_limit",
        }
    }

    /// Whether it counts in a window that slides: any minute, any hour.
    pub(crate) const fn slides(self) -> bool {
        matches!(self, Self::Rpm | Self::Rph | Self::Tpm | Self::Tph)
    }

    /// Whether it counts tokens.
    pub(crate) const fn counts_tokens(self) -> bool {
        matches!(self, Self::Tpm | Self::Tph | Self::Tpd)
    }

    /// Whether it is money: micro-units of the base currency.
    #[must_use]
    pub const fn is_money(self) -> bool {
        matches!(self, Self::DailyLimit | Self::MonthlyLimit)
    }
}

/// Makes the two records and what reads them by kind, so that no limit can be forgotten in one of them.
macro_rules! limits {
    ($($kind:ident $name:ident $text:literal;)*) => {
        /// Limits. What is not set does not restrict.
        ///
        /// Unknown members are refused: a limit that this version does not know must not be silently ignored.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Limits {
            $(#[doc = $text] #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<u64>,)*
        }

        /// Limits to change: absent = leave, `null` = unset, value = set.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct LimitsPatch {
            $(#[doc = $text] #[serde(deserialize_with = "present")] pub $name: Option<Option<u64>>,)*
        }

        impl Limits {
            /// The limit of this kind.
            #[must_use]
            pub fn get(&self, kind: LimitKind) -> Option<u64> {
                match kind { $(LimitKind::$kind => self.$name,)* }
            }

            /// Applies what a patch says.
            pub(crate) fn patch(&mut self, patch: &LimitsPatch) {
                $(if let Some(value) = patch.$name { self.$name = value; })*
            }
        }
    };
}

limits! {
    Rpm rpm "Requests in any 60 seconds.";
    Rph rph "Requests in any hour.";
    Rpd rpd "Requests a calendar day of the tree's time zone.";
    Tpm tpm "Tokens in any 60 seconds: input, cached or not, and output.";
    Tph tph "Tokens in any hour.";
    Tpd tpd "Tokens a calendar day.";
    Concurrency concurrency "Requests at a time, each until its last byte or its client's departure.";
    DailyLimit daily_limit "Money a calendar day, in micro-units of the base currency.";
    MonthlyLimit monthly_limit "Money a calendar month, in micro-units of the base currency.";
}

impl Limits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// For members of a change: tells `null` (an inner None) from an absent member (an outer None, by `serde(default)`).
///
/// # Errors
/// The value is not one of `T`.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_a_member_of_its_own_name() {
        for kind in LimitKind::ALL {
            let text = format!("{{\"{}\":7}}", kind.as_str());
            let limits: Limits = serde_json::from_str(&text).unwrap();
            for other in LimitKind::ALL {
                assert_eq!(limits.get(other), (other == kind).then_some(7));
            }
            assert_eq!(serde_json::to_string(&limits).unwrap(), text);
            let mut patched = Limits::default();
            patched.patch(&serde_json::from_str(&text).unwrap());
            assert_eq!(patched, limits);
            let unset = format!("{{\"{}\":null}}", kind.as_str());
            patched.patch(&serde_json::from_str(&unset).unwrap());
            assert!(patched.is_empty());
        }
    }
}
