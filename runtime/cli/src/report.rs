//! Printing: JSON for programs, tables for people; a closed pipe ends quietly.

use std::io::Write as _;

use serde_json::Value;

/// Prints text as it is.
///
/// # Errors
/// Standard output fails other than by being closed.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Tells people something that is not the output: on standard error.
///
/// # Errors
/// It cannot be written to.
pub(crate) fn remark(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stderr().lock().write_all(text.as_bytes())?)
}

/// Prints JSON on lines of its own.
///
/// # Errors
/// As [`print`].
pub(crate) fn json(value: &Value) -> anyhow::Result<()> {
    print(&format!("{value:#}\n"))
}

/// A member as text; empty where there is none.
pub(crate) fn text(value: &Value, member: &str) -> String {
    match &value[member] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A list of strings with commas; `*` where there is no list, `(none)` where it is empty.
pub(crate) fn list(value: &Value) -> String {
    match value.as_array() {
        None => "*".to_owned(),
        Some(items) if items.is_empty() => "(none)".to_owned(),
        Some(items) => items
            .iter()
            .map(|item| item.as_str().unwrap_or_default())
            .collect::<Vec<_>>()
            .join(","),
    }
}

/// A moment in milliseconds since 1970 as RFC 3339 to the second, UTC.
pub(crate) fn moment(value: &Value) -> String {
    value
        .as_i64()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|stamp| stamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_list_does_not_look_like_no_restriction() {
        assert_eq!(list(&Value::Null), "*");
        assert_eq!(list(&json!([])), "(none)");
        assert_eq!(list(&json!(["a", "b"])), "a,b");
    }

    #[test]
    fn moments_are_utc() {
        assert_eq!(
            moment(&json!(1_767_225_600_123_i64)),
            "2026-01-01T00:00:00Z"
        );
        assert_eq!(moment(&Value::Null), "");
    }
}
