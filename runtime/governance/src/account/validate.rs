//! What an account may look like, as far as it can be judged without the tree.

use ipnet::IpNet;

use super::{Account, Limits, Status};
use crate::attachment::validate_slug;
use crate::error::DirectoryError;
use crate::money::show_money;
use crate::usage::ABOVE;

/// More would be no list that a person keeps.
const MOST_ENTRIES: usize = 1_000;
/// More is a typing error, and sums of it could overflow.
const MOST_TOKENS: u64 = 1_000_000_000;

impl Account {
    /// Checks every member that can be judged without the tree.
    pub(crate) fn validate(&self) -> Result<(), DirectoryError> {
        validate_name(&self.name)?;
        validate_text("alias", self.alias.as_deref(), 256)?;
        validate_text("email", self.email.as_deref(), 320)?;
        if self
            .email
            .as_ref()
            .is_some_and(|email| !email.contains('@'))
        {
            return Err(DirectoryError::invalid("email", "is not an e-mail address"));
        }
        few("tags", self.tags.len())?;
        for (name, value) in &self.tags {
            if name.is_empty() {
                return Err(DirectoryError::invalid("tags", "a tag needs a name"));
            }
            validate_text("tags", Some(name), 128)?;
            validate_text("tags", Some(value), 256)?;
        }
        if matches!(self.status, Status::Closing | Status::Archived) {
            let message = "is `active` or `suspended`; an account is closed by deleting it";
            return Err(DirectoryError::invalid("status", message));
        }
        validate_models("models", self.models.as_deref())?;
        validate_models("denied_models", Some(&self.denied_models))?;
        validate_words("providers", self.providers.as_deref())?;
        validate_words("endpoints", self.endpoints.as_deref())?;
        validate_cidrs(self.cidrs.as_deref())?;
        few("model_map", self.model_map.len())?;
        for (asked, served) in &self.model_map {
            validate_model("model_map", asked)?;
            if served.is_empty() {
                return Err(DirectoryError::invalid("model_map", "an empty model name"));
            }
            validate_text("model_map", Some(served), 256)?;
            if served.contains('*') {
                let message =
                    format!("`{served}`: what is served must be one model, not a pattern");
                return Err(DirectoryError::invalid("model_map", message));
            }
        }
        for (field, tokens) in [
            ("output_cap", self.output_cap),
            ("default_output", self.default_output),
        ] {
            if tokens.is_some_and(|tokens| tokens == 0 || tokens > MOST_TOKENS) {
                let message = format!("must be from 1 to {MOST_TOKENS} tokens");
                return Err(DirectoryError::invalid(field, message));
            }
        }
        few("model_limits", self.model_limits.len())?;
        for pattern in self.model_limits.keys() {
            validate_model("model_limits", pattern)?;
        }
        for (field, limits) in std::iter::once(("limits", &self.limits)).chain(
            self.model_limits
                .values()
                .map(|limits| ("model_limits", limits)),
        ) {
            validate_limits(field, limits)?;
        }
        if let Some(zone) = &self.time_zone {
            if self.parent.is_some() {
                let message = "can be set on the root only";
                return Err(DirectoryError::invalid("time_zone", message));
            }
            crate::calendar::Zone::named(zone)
                .map_err(|error| DirectoryError::invalid("time_zone", error.to_string()))?;
        }
        Ok(())
    }
}

/// The ledger counts money in 63 bits; a limit beyond is a typing error.
fn validate_limits(field: &'static str, limits: &Limits) -> Result<(), DirectoryError> {
    let money = [limits.daily_limit, limits.monthly_limit];
    if money
        .iter()
        .flatten()
        .any(|amount| i64::try_from(*amount).is_err())
    {
        let most = i64::MAX;
        let message = format!(
            "an amount is too large: at most {most} micro-units ({})",
            show_money(most.into())
        );
        return Err(DirectoryError::invalid(field, message));
    }
    Ok(())
}

fn few(field: &'static str, count: usize) -> Result<(), DirectoryError> {
    if count > MOST_ENTRIES {
        let message = format!("has more than {MOST_ENTRIES} entries");
        return Err(DirectoryError::invalid(field, message));
    }
    Ok(())
}

/// Names or globs of models.
pub(crate) fn validate_models(
    field: &'static str,
    list: Option<&[String]>,
) -> Result<(), DirectoryError> {
    few(field, list.map_or(0, <[_]>::len))?;
    list.unwrap_or_default()
        .iter()
        .try_for_each(|model| validate_model(field, model))
}

fn validate_model(field: &'static str, model: &str) -> Result<(), DirectoryError> {
    if model.is_empty() {
        return Err(DirectoryError::invalid(field, "an empty model name"));
    }
    // Whoever writes them means something by them; taken as they are they would match no model, and a limit or a
    // refusal would silently be about nothing.
    let other = |c: char| "?[]{}|^$\\".contains(c);
    if let Some(sign) = model.chars().find(|c| other(*c)) {
        let message = format!(
            "`{model}`: `{sign}` means nothing in a pattern of models; `*` stands for any run of characters"
        );
        return Err(DirectoryError::invalid(field, message));
    }
    validate_text(field, Some(model), 256)
}

/// Names of components and operations.
pub(crate) fn validate_words(
    field: &'static str,
    list: Option<&[String]>,
) -> Result<(), DirectoryError> {
    few(field, list.map_or(0, <[_]>::len))?;
    list.unwrap_or_default()
        .iter()
        .try_for_each(|word| validate_slug(field, word))
}

/// Networks.
pub(crate) fn validate_cidrs(list: Option<&[String]>) -> Result<(), DirectoryError> {
    few("cidrs", list.map_or(0, <[_]>::len))?;
    for network in list.unwrap_or_default() {
        if network.parse::<IpNet>().is_err() {
            let message =
                format!("`{network}` is not a network such as 10.0.0.0/8 or 2001:db8::/32");
            return Err(DirectoryError::invalid("cidrs", message));
        }
    }
    Ok(())
}

fn validate_name(name: &str) -> Result<(), DirectoryError> {
    let wrong = |message: &str| Err(DirectoryError::invalid("name", message));
    if name.is_empty() {
        return wrong("may not be empty");
    }
    if name.trim() != name {
        return wrong("may not begin or end with a space");
    }
    if name.contains('/') {
        return wrong("may not contain `/`, which separates the names of a path");
    }
    // Whatever carries a path in a URL takes such a step away: `root/a/..` would be asked about as `root`.
    if matches!(name, "." | "..") {
        return wrong("may not be `.` or `..`, which are steps of a path");
    }
    if name == ABOVE {
        return wrong("may not be `above`, which stands for accounts that a reader does not see");
    }
    if uuid::Uuid::try_parse(name).is_ok() {
        return wrong("may not look like an id");
    }
    validate_text("name", Some(name), 128)
}

/// Text that people will read in tables and headers: bounded, no control characters.
pub(crate) fn validate_text(
    field: &'static str,
    text: Option<&str>,
    longest: usize,
) -> Result<(), DirectoryError> {
    let Some(text) = text else { return Ok(()) };
    if text.len() > longest {
        let message = format!("is longer than {longest} bytes");
        return Err(DirectoryError::invalid(field, message));
    }
    if text.chars().any(char::is_control) {
        return Err(DirectoryError::invalid(
            field,
            "contains a control character",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AccountId;

    #[test]
    fn names_that_would_break_a_path_are_refused() {
        for name in [
            "",
            " a",
            "a ",
            "a/b",
            "/",
            ".",
            "..",
            "above",
            "a\nb",
            "018f0000-0000-7000-8000-000000000000",
        ] {
            let error = validate_name(name).unwrap_err();
            assert_eq!(error.field(), Some("name"), "{name:?}");
        }
        for name in ["Büro 7", "...", ".a", "v1.2", "Above"] {
            assert!(validate_name(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn each_boundary_that_makes_no_sense_is_refused_by_name() {
        let account = Account::new(
            AccountId::default(),
            Some(AccountId::default()),
            "a".into(),
            1,
        );
        for (patch, field) in [
            (r#"{"cidrs":["10.0.0.0/33"]}"#, "cidrs"),
            (r#"{"cidrs":["ten"]}"#, "cidrs"),
            (r#"{"models":[""]}"#, "models"),
            (r#"{"denied_models":["a\nb"]}"#, "denied_models"),
            (r#"{"models":["gpt-[45]"]}"#, "models"),
            (r#"{"denied_models":["gpt-?"]}"#, "denied_models"),
            (r#"{"model_limits":{"a|b":{"rpm":1}}}"#, "model_limits"),
            (r#"{"model_map":{"^a":"b"}}"#, "model_map"),
            (r#"{"model_map":{"a":""}}"#, "model_map"),
            (r#"{"endpoints":["/v1/messages"]}"#, "endpoints"),
            (r#"{"providers":[""]}"#, "providers"),
            (r#"{"model_map":{"a":"b*"}}"#, "model_map"),
            (r#"{"model_map":{"":"b"}}"#, "model_map"),
            (r#"{"output_cap":0}"#, "output_cap"),
            (
                r#"{"default_output":18446744073709551615}"#,
                "default_output",
            ),
            (
                r#"{"limits":{"daily_limit":9223372036854775808}}"#,
                "limits",
            ),
            (r#"{"model_limits":{"":{"rpm":1}}}"#, "model_limits"),
            (r#"{"status":"archived"}"#, "status"),
            (r#"{"time_zone":"UTC"}"#, "time_zone"),
            (r#"{"email":"nobody"}"#, "email"),
        ] {
            let patched = account.patched(&serde_json::from_str(patch).unwrap(), 2);
            assert_eq!(
                patched.validate().unwrap_err().field(),
                Some(field),
                "{patch}"
            );
        }
    }

    #[test]
    fn an_amount_that_is_too_large_is_refused_with_the_bound_that_is_taken() {
        let mut account = Account::new(AccountId::default(), None, "root".into(), 1);
        account.limits.daily_limit = Some(i64::MAX.cast_unsigned());
        account.validate().unwrap();
        account.limits.daily_limit = Some(i64::MAX.cast_unsigned() + 1);
        let error = account.validate().unwrap_err().to_string();
        for bound in ["9223372036854775807", "9223372036854.775807"] {
            assert!(error.contains(bound), "{error}");
        }
    }

    #[test]
    fn an_unknown_zone_is_refused_by_name() {
        let mut root = Account::new(AccountId::default(), None, "root".into(), 1);
        root.time_zone = Some("Mars/Olympus".to_owned());
        let error = root.validate().unwrap_err();
        assert_eq!(error.field(), Some("time_zone"));
        assert!(error.to_string().contains("Mars/Olympus"));
    }
}
