//! What more than one dialect says the same way.

use base64::Engine;

use super::members::invalid;
use super::model::{Choice, Effort, Source};
use super::text::Str;
use crate::ApiError;

/// An effort by its name.
pub(crate) fn read_effort(name: &str, param: &str) -> Result<Effort, ApiError> {
    Effort::from_name(name).ok_or_else(|| {
        invalid(format!(
            "`{param}` must be one of none, minimal, low, medium, high, xhigh, max."
        ))
        .with_param(param)
    })
}

/// A choice that is one word.
pub(crate) fn plain_choice(word: Str<'_>) -> Result<Choice<'_>, ApiError> {
    match &*word {
        "auto" => Ok(Choice::Auto),
        "none" => Ok(Choice::None),
        "required" | "any" => Ok(Choice::Required),
        other => Err(invalid(format!("`tool_choice` has the unknown value `{other}`."))
            .with_param("tool_choice")),
    }
}

/// A URL, or what is in it.
pub(crate) fn located(url: Str<'_>) -> Source<'_> {
    if url.starts_with("data:") {
        Source::DataUrl(url)
    } else {
        Source::Url(url)
    }
}

/// `file_data`: a `data:` URL, or base64 alone, whose type only the name can tell.
pub(crate) fn inline<'a>(data: Str<'a>, name: Option<&str>) -> Source<'a> {
    if data.starts_with("data:") {
        return Source::DataUrl(data);
    }
    let media_type = match name.and_then(|name| name.rsplit_once('.')).map(|(_, end)| end) {
        Some("txt" | "md" | "csv") => "text/plain",
        _ => "application/pdf",
    };
    Source::Base64 {
        media_type: media_type.into(),
        data,
    }
}


/// Content that is neither text nor parts.
pub(crate) fn not_content(param: &str) -> ApiError {
    invalid(format!("`{param}` must be a string or an array.")).with_param(param)
}

/// `data` as base64 of UTF-8 text.
pub(crate) fn decode_text(data: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).ok()?;
    String::from_utf8(bytes).ok()
}
