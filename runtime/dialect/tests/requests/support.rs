//! Targets, and reading JSON the plain way.

use serde_json::Value;
use tollgate_dialect::bridge::{Abilities, Bridged, Target, request};
use tollgate_dialect::{ApiError, Dialect};

/// The three dialects that are bridged.
pub(crate) const DIALECTS: [Dialect; 3] = [
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
    Dialect::AnthropicMessages,
];

/// Who made the opaque reasoning that goes back.
pub(crate) const FAMILY: &str = "maker";

/// A dialect's name in files.
pub(crate) fn short(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat => "chat",
        Dialect::OpenaiResponses => "responses",
        Dialect::OpenaiEmbeddings => "embeddings",
        Dialect::AnthropicMessages => "messages",
    }
}

/// The two others.
pub(crate) fn others(from: Dialect) -> impl Iterator<Item = Dialect> {
    DIALECTS.into_iter().filter(move |to| *to != from)
}

/// A vendor that can do everything its dialect can.
pub(crate) fn able(dialect: Dialect) -> Target<'static> {
    Target {
        dialect,
        family: FAMILY,
        model: "asked",
        max_output_tokens: None,
        default_output_tokens: Some(32_000),
        abilities: Abilities::from_names([
            "reasoning",
            "adaptive-thinking",
            "structured-output",
            "custom-tools",
            "web-search",
            "mcp",
            "code-execution",
            "reasoning-content",
            "system-messages",
            "prompt-cache-key",
            "verbosity",
            "prompt-cache-breakpoints",
        ]),
    }
}

/// A vendor that can do little more than talk, though it reasons.
pub(crate) fn bare(dialect: Dialect) -> Target<'static> {
    Target {
        max_output_tokens: Some(16_000),
        abilities: Abilities::from_names(["reasoning"]),
        ..able(dialect)
    }
}

/// Bridges a request that is JSON text.
pub(crate) fn bridged(from: Dialect, body: &str, to: &Target<'_>) -> Result<Bridged, ApiError> {
    request(from, body.as_bytes(), to)
}

/// Bridges a request that cannot be refused.
pub(crate) fn value(from: Dialect, body: &Value, to: &Target<'_>) -> Value {
    let bridged =
        bridged(from, &body.to_string(), to).unwrap_or_else(|error| panic!("{error:?}\n{body:#}"));
    serde_json::from_slice(&bridged.body).unwrap()
}

/// JSON text with a line a member, in the order in which it stands.
pub(crate) fn pretty(json: &str) -> String {
    let mut out = String::new();
    let mut depth = 0;
    let mut quoted = false;
    let mut escaped = false;
    let mut letters = json.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(letter) = letters.next() {
        if quoted {
            out.push(letter);
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match letter {
            '"' => {
                quoted = true;
                out.push(letter);
            }
            '{' | '[' => {
                out.push(letter);
                if letters
                    .next_if(|next| matches!(next, '}' | ']'))
                    .is_some_and(|next| {
                        out.push(next);
                        true
                    })
                {
                    continue;
                }
                depth += 1;
                line(&mut out, depth);
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            letter if letter.is_ascii_whitespace() => {}
            letter => out.push(letter),
        }
    }
    out.push('\n');
    out
}
