//! What of a message no component ever sees: credentials in headers, content and credentials in parameters.
//!
//! One place for every view, so that a fix never lands on one sibling only.

use serde_json::Value;

/// Bytes of JSON of a parameter that a component may read.
const PARAMETER_BYTES: usize = 1024;
/// Bytes of one string in it: a setting is a word, a longer text is content.
const STRING_BYTES: usize = 256;

/// Headers that carry a credential under a name that says nothing of the sort.
const HIDDEN: &[&str] = &["sid", "x-amzn-oidc-data", "x-session", "x-sid"];
/// Parts of names. Each is in the name of some vendor's, proxy's or framework's credential, and in no other header that
/// is known to us.
const HIDDEN_PARTS: &[&str] = &[
    "apikey",
    "api_key",
    "auth",
    "bearer",
    "cookie",
    "credential",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "signature",
];
/// Ends of names. Not parts of them: `…-tokens` tells a rate limit, which `classify` must be able to read.
const HIDDEN_ENDS: &[&str] = &["token", "-key"];
/// Names with such an end that hold nothing secret.
const SHOWN: &[&str] = &["idempotency-key", "x-idempotency-key"];

/// First words of values that are credentials, whatever header they stand in.
const SCHEMES: &[&str] = &["basic", "bearer", "digest", "negotiate", "token"];
/// Beginnings of keys: of Tollgate's own, and of those that clients of the standard dialects hold.
const KEYS: &[&str] = &["tg-", "tgm-", "sk-", "eyJ"];

/// Members of a body that are content in some dialect, whatever their shape, or may hold a credential.
const HIDDEN_PARAMETERS: &[&str] = &[
    "api_key",
    "apikey",
    "authorization",
    "context",
    "conversation",
    "documents",
    "examples",
    "file",
    "files",
    "functions",
    "headers",
    "image",
    "images",
    "input",
    "instructions",
    "mcp_servers",
    "messages",
    "password",
    "prediction",
    "prefix",
    "prompt",
    "query",
    "secret",
    "suffix",
    "system",
    "system_instruction",
    "text",
    "token",
    "tools",
];

/// Whether a component may read the header of this name, of a request or of an answer. A name that is not in lower
/// case is not: header maps ignore case, and a comparison that does not would let `Authorization` through.
#[must_use]
pub fn header_is_visible(name: &str) -> bool {
    let lower_case_token = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
    };
    !name.is_empty()
        && name.bytes().all(lower_case_token)
        && !HIDDEN.contains(&name)
        && !HIDDEN_PARTS.iter().any(|part| name.contains(part))
        && (SHOWN.contains(&name) || !HIDDEN_ENDS.iter().any(|end| name.ends_with(end)))
}

/// Whether a header's value is a credential by its looks: clients put them into headers of any name.
fn is_credential(value: &str) -> bool {
    let value = value.trim();
    // `sk-SK` and `tg-TJ` are languages.
    let is_one_long_word = value.len() >= 20
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    is_one_long_word && KEYS.iter().any(|key| value.starts_with(key))
        || value.split_once(' ').is_some_and(|(word, _)| {
            let is = |scheme: &&str| word.eq_ignore_ascii_case(scheme);
            SCHEMES.iter().any(is) || word.contains("-HMAC-")
        })
}

/// The value of a header, if a component may read it. Most that components ask for are not there, and need no look at
/// their names (a fortieth of a request's time was spent on that).
pub(crate) fn shown<T: AsRef<str>>(name: &str, value: Option<T>) -> Option<T> {
    value.filter(|value| header_is_visible(name) && !is_credential(value.as_ref()))
}

/// Whether a policy may read a top-level member of the body, given as JSON text: settings pass, content does not.
pub(crate) fn parameter_is_visible(name: &str, json: &str) -> bool {
    // Looked at first: the text of a content member may be megabytes long.
    parameter_may_be_read(name)
        && json.len() <= PARAMETER_BYTES
        && serde_json::from_str::<Value>(json).is_ok_and(|value| match &value {
            Value::Array(items) => items.iter().all(is_setting),
            value => is_setting(value),
        })
}

/// Whether a member of this name may be read at all.
pub(crate) fn parameter_may_be_read(name: &str) -> bool {
    !HIDDEN_PARAMETERS
        .iter()
        .any(|hidden| name.eq_ignore_ascii_case(hidden))
}

fn is_setting(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.len() <= STRING_BYTES,
        Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_hidden_under_every_name_and_in_every_case() {
        for name in [
            "authorization",
            "Authorization",
            "AUTHORIZATION",
            "proxy-authorization",
            "x-forwarded-authorization",
            "x-api-key",
            "X-Api-Key",
            "api-key",
            "x-acme-api-key",
            "apikey",
            "x-subscription-key",
            "cookie",
            "Cookie",
            "set-cookie",
            "x-security-token",
            "x-auth-token",
            "x-csrf-token",
            "x-iam-authorization-token",
            "x-client-secret",
            "x-password",
            "cf-access-jwt-assertion",
            "x-access-key",
            "x-functions-key",
            "authentication",
            "www-authenticate",
            "x-auth",
            "x-bearer",
            "x-passphrase",
            "x-session",
            "x-signature",
            "",
            "user-agent ",
            "User-Agent",
            "\u{212a}ookie",
        ] {
            assert!(!header_is_visible(name), "{name:?} must be hidden");
        }
    }

    #[test]
    fn what_components_work_with_is_visible() {
        for name in [
            "user-agent",
            "content-type",
            "retry-after",
            "anthropic-version",
            "anthropic-beta",
            "x-ratelimit-remaining-tokens",
            "anthropic-ratelimit-input-tokens-reset",
            "x-amzn-trace-input-token-count",
            "x-stainless-lang",
            "idempotency-key",
            "x-cost-centre",
            "openai-organization",
        ] {
            assert!(header_is_visible(name), "{name} must be visible");
        }
    }

    #[test]
    fn a_credential_is_hidden_in_whatever_header_it_stands() {
        for value in [
            "Bearer abc",
            "bearer abc",
            " Basic dXNlcjpwYXNz",
            "tg-0123456789abcdefghij",
            "tgm-0123456789abcdefghij",
            "sk-proj-0123456789abcdef",
            "eyJhbGciOiJIUzI1NiJ9.e30.x",
            "TC3-HMAC-SHA256 Credential=x",
        ] {
            assert_eq!(shown("x-custom", Some(value)), None, "{value}");
        }
        for value in [
            "",
            "basic",
            "tgif",
            "bearers of news",
            "token-bucket",
            "sk-SK,sk;q=0.9,en;q=0.8",
        ] {
            assert_eq!(shown("x-custom", Some(value)), Some(value));
        }
        assert_eq!(shown("x-api-key", Some("plain")), None);
    }

    #[test]
    fn settings_pass_and_content_does_not() {
        for (name, json) in [
            ("temperature", "0.5"),
            ("n", "2"),
            ("store", "false"),
            ("user", "null"),
            ("service_tier", "\"flex\""),
            ("max_tokens", "4096"),
            ("stop", "[\"\\n\",\"END\"]"),
            ("logit_bias", "[]"),
        ] {
            assert!(parameter_is_visible(name, json), "{name}: {json}");
        }
        let long = format!("\"{}\"", "x".repeat(STRING_BYTES + 1));
        let many = format!("[{}]", "1,".repeat(PARAMETER_BYTES) + "1");
        for (name, json) in [
            ("messages", "[]"),
            ("Input", "\"x\""),
            ("prompt", "\"x\""),
            ("suffix", "\"x\""),
            ("instructions", "\"x\""),
            ("mcp_servers", "[]"),
            ("metadata", "{\"user_id\":\"x\"}"),
            ("tool_choice", "{\"type\":\"function\"}"),
            ("novelty", "{}"),
            ("novelty", "[[1]]"),
            ("novelty", "[{\"text\":\"x\"}]"),
            ("novelty", "not JSON"),
            ("novelty", long.as_str()),
            ("novelty", many.as_str()),
        ] {
            assert!(!parameter_is_visible(name, json), "{name}: {json}");
        }
    }
}
