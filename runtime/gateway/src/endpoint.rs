//! What a path means. One table, so that a rule never lands on one endpoint only.

use http::Method;
use tollgate_dialect::{Dialect, Operation};

use crate::turns::{Asked, Part};

/// What a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Model traffic.
    Inference(Operation),
    /// The model list.
    Models,
    /// One model; ids may contain slashes, and some clients send them unescaped.
    Model(String),
    /// Something that was kept: an answer, its input, a conversation.
    Kept(Asked),
    /// The process is up.
    Alive,
    /// The process would serve a request.
    Ready,
    /// Prometheus text.
    Metrics,
    /// A client's look whether somebody is there.
    Probe,
    /// A WebSocket for responses.
    WebSocket,
    /// A WebSocket on another inference path, which is refused in the one way after which clients fall back silently.
    Upgrade,
    /// The path exists, the method does not. Carries what is allowed.
    WrongMethod(&'static str),
    /// Nothing here.
    Unknown,
}

/// Finds the endpoint of a request line. `upgrade` says that the client asked for a WebSocket.
pub(crate) fn resolve(method: &Method, path: &str, upgrade: bool) -> Endpoint {
    let bare = bare(path);
    if let Some(operation) = Operation::from_path(bare) {
        return match *method {
            Method::POST => Endpoint::Inference(operation),
            Method::GET if upgrade && operation == Operation::Responses => Endpoint::WebSocket,
            // Where clients try a WebSocket first, 426 makes them fall back to HTTP at once and silently; 400 fails the
            // turn, anything else shows a warning (measured with Codex 0.169).
            Method::GET if upgrade => Endpoint::Upgrade,
            _ => Endpoint::WrongMethod("POST"),
        };
    }
    if let Some(asked) = kept(bare) {
        let allowed = match asked {
            Asked::Response(_) | Asked::Conversation(_, Part::Item(_)) => "GET, DELETE",
            Asked::InputItems(_) => "GET",
            Asked::Conversations => "POST",
            Asked::Conversation(_, Part::Whole) => "GET, POST, DELETE",
            Asked::Conversation(_, Part::Items) => "GET, POST",
        };
        let is_allowed = allowed.split(", ").any(|one| one == method.as_str());
        return match is_allowed {
            true => Endpoint::Kept(asked),
            false => Endpoint::WrongMethod(allowed),
        };
    }
    let get = *method == Method::GET || *method == Method::HEAD;
    let found = match bare {
        "/models" => Endpoint::Models,
        "/" | "/api/hello" => Endpoint::Probe,
        "/healthz" => Endpoint::Alive,
        "/readyz" => Endpoint::Ready,
        "/metrics" => Endpoint::Metrics,
        _ => match bare.strip_prefix("/models/") {
            Some(id) if !id.is_empty() => Endpoint::Model(unescape(id)),
            _ => return Endpoint::Unknown,
        },
    };
    if get {
        found
    } else {
        Endpoint::WrongMethod("GET, HEAD")
    }
}

/// The dialect in which an error on this path is told. Known paths speak their own, and so do those that nearly are one;
/// the model list and unknown paths speak Anthropic's to those who say they do, OpenAI's to everybody else.
pub(crate) fn error_dialect(path: &str, anthropic: bool) -> Dialect {
    if let Some(operation) = Operation::from_path(bare(path)) {
        return operation.dialect();
    }
    let path = path.to_ascii_lowercase();
    match () {
        () if anthropic || path.contains("/messages") => Dialect::AnthropicMessages,
        () if path.contains("/responses") => Dialect::OpenaiResponses,
        () => Dialect::OpenaiChat,
    }
}

/// What kept thing a path names.
fn kept(bare: &str) -> Option<Asked> {
    if bare == "/conversations" {
        return Some(Asked::Conversations);
    }
    let id = |text: &str| (!text.is_empty() && !text.contains('/')).then(|| unescape(text));
    if let Some(rest) = bare.strip_prefix("/conversations/") {
        let (name, part) = match rest.split_once("/items") {
            None => (rest, Part::Whole),
            Some((name, "")) => (name, Part::Items),
            Some((name, item)) => (name, Part::Item(id(item.strip_prefix('/')?)?)),
        };
        return Some(Asked::Conversation(id(name)?, part));
    }
    let rest = bare.strip_prefix("/responses/")?;
    match rest.strip_suffix("/input_items") {
        Some(rest) => id(rest).map(Asked::InputItems),
        None => id(rest).map(Asked::Response),
    }
}

/// The path without its version, as it is meant: base URLs are set with a slash too many and with a version that the
/// client adds again (`//v1/messages`, `/v1/v1/messages`).
fn bare(path: &str) -> &str {
    let mut bare = path;
    loop {
        bare = match bare.strip_prefix("/v1") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
            _ if bare.starts_with("//") => &bare[1..],
            _ => break,
        };
    }
    match bare.strip_suffix('/') {
        Some(rest) if !rest.is_empty() => rest,
        _ => bare,
    }
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%')
            .then(|| tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_inference_path_is_served_with_and_without_its_version() {
        for operation in Operation::ALL {
            for path in [operation.path(), &operation.path()["/v1".len()..]] {
                assert_eq!(
                    resolve(&Method::POST, path, false),
                    Endpoint::Inference(operation),
                    "{path}"
                );
                assert_eq!(
                    resolve(&Method::GET, path, false),
                    Endpoint::WrongMethod("POST"),
                    "{path}"
                );
                let upgraded = match operation {
                    Operation::Responses => Endpoint::WebSocket,
                    _ => Endpoint::Upgrade,
                };
                assert_eq!(resolve(&Method::GET, path, true), upgraded, "{path}");
                assert_eq!(error_dialect(path, false), operation.dialect(), "{path}");
            }
        }
    }

    #[test]
    fn a_base_url_with_a_slash_or_a_version_too_many_works() {
        for operation in Operation::ALL {
            let path = operation.path();
            for path in [
                format!("/{path}"),
                format!("/v1{path}"),
                format!("/v1/{path}"),
                format!("{path}/"),
            ] {
                assert_eq!(
                    resolve(&Method::POST, &path, false),
                    Endpoint::Inference(operation),
                    "{path}"
                );
                assert_eq!(error_dialect(&path, false), operation.dialect(), "{path}");
            }
        }
        assert_eq!(resolve(&Method::GET, "//", false), Endpoint::Probe);
        assert_eq!(
            resolve(&Method::GET, "/v1/v1/models/", false),
            Endpoint::Models
        );
    }

    #[test]
    fn what_is_nearly_a_path_is_refused_in_its_dialect() {
        for (path, dialect) in [
            ("/V1/MESSAGES", Dialect::AnthropicMessages),
            ("/elsewhere/v1/messages", Dialect::AnthropicMessages),
            ("/v1/messages/batches", Dialect::AnthropicMessages),
            ("/v2/responses", Dialect::OpenaiResponses),
            ("/v2/chat/completions", Dialect::OpenaiChat),
        ] {
            assert_eq!(
                resolve(&Method::POST, path, false),
                Endpoint::Unknown,
                "{path}"
            );
            assert_eq!(error_dialect(path, false), dialect, "{path}");
        }
    }

    #[test]
    fn a_model_id_keeps_its_slashes_escaped_or_not() {
        for path in ["/v1/models/acme/rocket-5.2", "/models/acme%2Frocket-5.2"] {
            assert_eq!(
                resolve(&Method::GET, path, false),
                Endpoint::Model("acme/rocket-5.2".to_owned())
            );
        }
    }

    #[test]
    fn a_path_that_only_begins_like_the_version_is_unknown() {
        assert_eq!(
            resolve(&Method::POST, "/v10/messages", false),
            Endpoint::Unknown
        );
    }
}
