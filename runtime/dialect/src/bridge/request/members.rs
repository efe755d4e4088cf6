//! The top level of a body: the large members are read on the spot, the small ones are taken by name.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::plain::plain;
use super::text::{Raw, Str};
use crate::bridge::loss::{self, Fate};
use crate::{ApiError, Dialect, ErrorKind};

/// Names of the large members, and what they hold.
pub(crate) trait Large<'a>: Default {
    /// Reads the member `name` from `map` if it is one of the large ones.
    fn read<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error>;
}

/// A body.
pub(crate) struct Members<'a, L> {
    pub(crate) large: L,
    small: Vec<(Str<'a>, Raw<'a>)>,
}

impl<'de: 'a, 'a, L: Large<'de>> Deserialize<'de> for Members<'a, L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Top<'a, L>(PhantomData<(&'a (), L)>);

        impl<'de: 'a, 'a, L: Large<'de>> Visitor<'de> for Top<'a, L> {
            type Value = Members<'a, L>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut large = L::default();
                let mut small = Vec::with_capacity(16);
                while let Some(name) = map.next_key::<Str<'de>>()? {
                    if !large.read(&name, &mut map)? {
                        small.push((name, map.next_value::<&'de RawValue>()?));
                    }
                }
                Ok(Members { large, small })
            }
        }

        deserializer.deserialize_map(Top(PhantomData))
    }
}

/// Reads a body.
pub(crate) fn read<'a, L: Large<'a>>(body: &'a str) -> Result<Members<'a, L>, ApiError> {
    serde_json::from_str(body).map_err(|error| locate::<Members<'a, L>>(body, &error))
}

/// Says which member is at fault: reads once more, slowly.
fn locate<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> ApiError {
    let mut reader = serde_json::Deserializer::from_str(text);
    let path = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(traced) => traced.path().to_string(),
        Ok(_) => String::new(),
    };
    if path.is_empty() || path == "." {
        invalid(format!("The request is not valid: {}.", plain(error)))
    } else {
        invalid(format!("`{path}` is not valid: {}.", plain(error))).with_param(path)
    }
}

/// A fault of the request itself.
pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::InvalidRequest, message)
}

/// Reads JSON that was kept raw; `param` is where it stands.
pub(crate) fn parse<'a, T: Deserialize<'a>>(raw: Raw<'a>, param: &str) -> Result<T, ApiError> {
    serde_json::from_str(raw.get()).map_err(|error| {
        let inner = locate::<T>(raw.get(), &error);
        let param = match inner.param {
            Some(path) if path.starts_with('[') => format!("{param}{path}"),
            Some(path) => format!("{param}.{path}"),
            None => param.to_owned(),
        };
        invalid(format!("`{param}` is not valid: {}.", plain(&error))).with_param(param)
    })
}

/// Reads JSON that may hold a credential: what was found there is not told.
pub(crate) fn parse_hidden<'a, T: Deserialize<'a>>(
    raw: Raw<'a>,
    param: &str,
) -> Result<T, ApiError> {
    serde_json::from_str(raw.get()).map_err(|_| {
        let message = format!("`{param}` is not what it has to be.");
        invalid(message).with_param(param)
    })
}

impl<'a, L> Members<'a, L> {
    /// The JSON of a member, left in place; nothing if absent or null.
    pub(crate) fn peek(&self, name: &str) -> Option<Raw<'a>> {
        let (_, raw) = self.small.iter().rfind(|(known, _)| &**known == name)?;
        (raw.get() != "null").then_some(*raw)
    }

    /// The JSON of a member, which is then done with.
    pub(crate) fn raw(&mut self, name: &str) -> Option<Raw<'a>> {
        let found = self.peek(name);
        self.small.retain(|(known, _)| &**known != name);
        found
    }

    /// A member of a certain type, which is then done with.
    pub(crate) fn take<T: Deserialize<'a>>(&mut self, name: &str) -> Result<Option<T>, ApiError> {
        match self.raw(name) {
            Some(raw) => parse(raw, name).map(Some),
            None => Ok(None),
        }
    }

    /// A member that is a number, as it is written.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<Raw<'a>>, ApiError> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        parse::<f64>(raw, name)?;
        Ok(Some(raw))
    }

    /// A member that must be there.
    pub(crate) fn required<T: Deserialize<'a>>(&mut self, name: &str) -> Result<T, ApiError> {
        match self.take(name)? {
            Some(value) => Ok(value),
            None => Err(missing(name)),
        }
    }

    /// What nobody took: refused where the table says so and it says something, else dropped.
    pub(crate) fn finish(&self, from: Dialect, to: Dialect) -> Result<(), ApiError> {
        for (name, raw) in &self.small {
            if let Some((Fate::Refused(_), row)) = loss::request_fate(from, to, name)
                && !says_nothing(raw, row.neutral)
            {
                return Err(loss::refusal(from, to, name, name.to_string()));
            }
        }
        Ok(())
    }
}

/// A member that must be there is not.
pub(crate) fn missing(param: &str) -> ApiError {
    invalid(format!("`{param}` is missing.")).with_param(param)
}

/// Whether the value is the same as none.
fn says_nothing(raw: Raw<'_>, neutral: &[&str]) -> bool {
    let plain: String = raw.get().split_ascii_whitespace().collect();
    matches!(
        &*plain,
        "null" | "false" | "0" | "0.0" | "\"\"" | "[]" | "{}"
    ) || neutral.contains(&&*plain)
}
