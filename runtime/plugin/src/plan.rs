//! Checks on what guests say to do: an answer that passes can be carried out without a further question.

use serde::de::IgnoredAny;

use crate::template::{self, Part};
use crate::{
    Amendment, Answer, CataloguePage, CatalogueRequest, Edit, Judgement, Manifest, Plan, Verdict,
};

/// Headers that only the host sets: they frame the message, name the host or hold the connection.
const HOST_HEADERS: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Members of a body that no admission policy sets: a policy says how a model samples and how a vendor serves, never what
/// it reads, what it may call, how much it answers, or to whom. The contract names them at `set-parameter`.
const PROTECTED_PARAMETERS: &[&str] = &[
    "background",
    "container",
    "conversation",
    "documents",
    "functions",
    "input",
    "instructions",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "mcp_servers",
    "messages",
    "modalities",
    "model",
    "n",
    "prediction",
    "previous_response_id",
    "prompt",
    "query",
    "store",
    "stream",
    "stream_options",
    "suffix",
    "system",
    "tool_choice",
    "tools",
    "web_search_options",
];

/// Whether a plan can be carried out.
pub(crate) fn check_plan(plan: &Plan, manifest: Option<&Manifest>) -> Result<(), String> {
    check_path(&plan.path)?;
    check_headers(&plan.headers, manifest)?;
    for edit in &plan.edits {
        check_edit(edit)?;
    }
    Ok(())
}

/// Whether a listing request can be sent.
pub(crate) fn check_catalogue(
    request: &CatalogueRequest,
    manifest: Option<&Manifest>,
) -> Result<(), String> {
    check_path(&request.path)?;
    check_headers(&request.headers, manifest)
}

/// Whether the next page of a listing can be asked for.
pub(crate) fn check_page(page: &CataloguePage) -> Result<(), String> {
    page.next_path.as_deref().map_or(Ok(()), check_path)
}

/// Whether `pointer` is a JSON Pointer (RFC 6901).
pub(crate) fn check_pointer(pointer: &str) -> Result<(), String> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err(format!(
            "`{}` is no JSON Pointer: it must be empty or start with `/`",
            cut(pointer)
        ));
    }
    let bytes = pointer.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'~' && !matches!(bytes.get(at + 1), Some(b'0' | b'1')) {
            return Err(format!(
                "`{}` is no JSON Pointer: `~` must be followed by 0 or 1",
                cut(pointer)
            ));
        }
    }
    Ok(())
}

/// Whether names and values are fit to be sent; with a manifest, whether templates name its credential fields.
pub(crate) fn check_headers(
    headers: &[(String, String)],
    manifest: Option<&Manifest>,
) -> Result<(), String> {
    for (name, value) in headers {
        check_header_name(name)?;
        check_header_value(name, value)?;
        if let Some(manifest) = manifest {
            check_template(name, value, manifest)?;
        }
    }
    Ok(())
}

/// Whether an answer of a responder can be delivered.
pub(crate) fn check_answer(answer: &Answer) -> Result<(), String> {
    if !(200..=599).contains(&answer.status) {
        return Err(format!(
            "answers with the status {}, which is not 200 to 599",
            answer.status
        ));
    }
    check_headers(&answer.headers, None)?;
    if !answer
        .headers
        .iter()
        .any(|(name, _)| name == "content-type")
    {
        return Err("answers without a `content-type`".into());
    }
    Ok(())
}

/// Whether a verdict's amendments are well formed. That they narrow is the gateway's check.
pub(crate) fn check_verdict(verdict: &Verdict) -> Result<(), String> {
    let Verdict::Amend(amendments) = verdict else {
        return Ok(());
    };
    for amendment in amendments {
        match amendment {
            Amendment::SetModel(model) if model.is_empty() => {
                return Err("sets an empty model name".into());
            }
            Amendment::SetParameter { name, value } => {
                // That nothing is kept narrows.
                let narrows = name == "store" && value.trim() == "false";
                let protected = PROTECTED_PARAMETERS.contains(&name.as_str()) && !narrows;
                if name.is_empty() || protected {
                    return Err(format!("may not set the parameter `{}`", cut(name)));
                }
                check_json(value)
                    .map_err(|why| format!("the value of parameter `{}` {why}", cut(name)))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether replacements name segments that are there, each once.
pub(crate) fn check_judgement(judgement: &Judgement, segments: usize) -> Result<(), String> {
    let Judgement::Replace(replacements) = judgement else {
        return Ok(());
    };
    check_positions(
        replacements.iter().map(|replacement| replacement.index),
        segments,
        "segment",
    )
}

/// Whether an order names candidates that are there, each once.
pub(crate) fn check_order(order: &[u32], candidates: u32) -> Result<(), String> {
    let count = usize::try_from(candidates).unwrap_or(usize::MAX);
    check_positions(order.iter().copied(), count, "candidate")
}

fn check_positions(
    positions: impl Iterator<Item = u32>,
    count: usize,
    what: &str,
) -> Result<(), String> {
    let mut seen = vec![false; count];
    for position in positions {
        let place = usize::try_from(position).unwrap_or(usize::MAX);
        let Some(seen) = seen.get_mut(place) else {
            return Err(format!("names {what} {position}, but there are {count}"));
        };
        if std::mem::replace(seen, true) {
            return Err(format!("names {what} {position} twice"));
        }
    }
    Ok(())
}

/// A path that stays under the endpoint's base URL: no authority, no fragment, no way up.
fn check_path(path: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("the path `{}` {why}", cut(path)));
    if !path.starts_with('/') {
        return wrong("does not start with `/`");
    }
    if path.starts_with("//") {
        return wrong("starts with `//`, which would name another host");
    }
    if !path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\'))
    {
        return wrong("holds a character that a URL's path and query may not hold");
    }
    let before_query = path.split('?').next().unwrap_or_default();
    if before_query.split('/').any(|part| {
        matches!(
            part.to_ascii_lowercase().as_str(),
            "." | ".." | "%2e" | "%2e%2e" | ".%2e" | "%2e."
        )
    }) {
        return wrong("climbs with `..`");
    }
    Ok(())
}

fn check_header_name(name: &str) -> Result<(), String> {
    let token = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
    };
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("`{}` is no lower-case header name", cut(name)));
    }
    if HOST_HEADERS.contains(&name) {
        return Err(format!("the header `{name}` is the host's to set"));
    }
    Ok(())
}

fn check_header_value(name: &str, value: &str) -> Result<(), String> {
    if value
        .bytes()
        .any(|byte| byte != b'\t' && (byte < b' ' || byte == 0x7f))
    {
        return Err(format!(
            "the value of header `{name}` holds a control character"
        ));
    }
    Ok(())
}

/// `{field}` must be a credential field of the manifest; `{{` is a brace.
fn check_template(header: &str, template: &str, manifest: &Manifest) -> Result<(), String> {
    for part in template::parts(template) {
        let Some(part) = part else {
            return Err(format!(
                "the template of header `{header}` has a `{{` that is neither doubled nor closed"
            ));
        };
        if let Part::Field(field) = part
            && !manifest
                .credential
                .fields
                .iter()
                .any(|known| known.name == field)
        {
            return Err(format!(
                "the template of header `{header}` names `{}`, which is no credential field of the manifest",
                cut(field)
            ));
        }
    }
    Ok(())
}

fn check_edit(edit: &Edit) -> Result<(), String> {
    match edit {
        Edit::Set { pointer, value } | Edit::SetDefault { pointer, value } => {
            check_pointer(pointer)?;
            check_json(value).map_err(|why| format!("the value for `{}` {why}", cut(pointer)))
        }
        Edit::Remove { pointer } if pointer.is_empty() => {
            Err("an edit removes the whole body".into())
        }
        Edit::Rename { pointer, .. } if pointer.is_empty() => {
            Err("an edit renames the whole body".into())
        }
        Edit::Remove { pointer } | Edit::Rename { pointer, .. } | Edit::Retain { pointer, .. } => {
            check_pointer(pointer)
        }
    }
}

fn check_json(text: &str) -> Result<(), String> {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("is no JSON: {error}")),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CommitAfter, Replacement, UpstreamStream};

    fn plan(path: &str, header: Option<(&str, &str)>, edits: Vec<Edit>) -> Plan {
        Plan {
            path: path.into(),
            headers: header
                .into_iter()
                .map(|(n, v)| (n.into(), v.into()))
                .collect(),
            edits,
            commit_after: CommitAfter::Status,
            upstream_stream: UpstreamStream::AsAsked,
        }
    }

    fn manifest() -> Manifest {
        Manifest::parse(
            r#"{"id":"v","name":"V","endpoints":[{"name":"m","base_url":"https://v.example","operations":["messages"]}],
                "credential":{"fields":[{"name":"api-key"}]},"any_model":true}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_path_cannot_leave_the_endpoint() {
        let check = |path: &str| check_plan(&plan(path, None, vec![]), None);
        assert_eq!(check("/v1/x?a=b%20c"), Ok(()));
        for path in [
            "",
            "v1",
            "//evil.example/x",
            "/a/../b",
            "/a/%2E%2e/b",
            "/a b",
            "/a\r\nx: y",
            "/a#b",
            "/\\evil",
            "/é",
        ] {
            assert!(check(path).is_err(), "{path:?} must be refused");
        }
    }

    #[test]
    fn headers_cannot_smuggle_or_name_an_unknown_secret() {
        let manifest = manifest();
        let check =
            |name, value| check_plan(&plan("/x", Some((name, value)), vec![]), Some(&manifest));
        assert_eq!(check("authorization", "Bearer {api-key}"), Ok(()));
        assert_eq!(check("x-json", "{{\"a\":1}"), Ok(()));
        assert_eq!(check("x-text", "a } b {{}"), Ok(()));
        for (name, value) in [
            ("Authorization", "x"),
            ("", "x"),
            ("host", "evil.example"),
            ("content-length", "3"),
            ("x", "a\r\nb: c"),
            ("x", "{secret}"),
            ("x", "{api-key"),
            ("x y", "z"),
        ] {
            assert!(
                check(name, value).is_err(),
                "{name:?}: {value:?} must be refused"
            );
        }
    }

    #[test]
    fn nonsense_edits_are_refused_with_the_reason() {
        let check = |edit| check_plan(&plan("/x", None, vec![edit]), None);
        let set = |pointer: &str, value: &str| Edit::Set {
            pointer: pointer.into(),
            value: value.into(),
        };
        assert_eq!(check(set("/a~1b/~0", r#"{"x":[1,null]}"#)), Ok(()));
        assert!(check(set("a", "1")).unwrap_err().contains("JSON Pointer"));
        assert!(
            check(set("/a~2", "1"))
                .unwrap_err()
                .contains("JSON Pointer")
        );
        assert!(check(set("/a", "{")).unwrap_err().contains("is no JSON"));
        assert!(check(set("/a", "1 2")).unwrap_err().contains("is no JSON"));
        assert!(
            check(Edit::Remove {
                pointer: String::new()
            })
            .is_err()
        );
    }

    #[test]
    fn positions_must_exist_and_be_named_once() {
        assert_eq!(check_order(&[2, 0], 3), Ok(()));
        assert!(check_order(&[3], 3).is_err());
        assert!(check_order(&[1, 1], 3).is_err());
        let replace = |index| {
            Judgement::Replace(vec![Replacement {
                index,
                text: String::new(),
            }])
        };
        assert_eq!(check_judgement(&replace(0), 1), Ok(()));
        assert!(check_judgement(&replace(1), 1).is_err());
    }

    #[test]
    fn an_amendment_cannot_touch_content_or_break_the_body() {
        let set = |name: &str, value: &str| {
            Verdict::Amend(vec![Amendment::SetParameter {
                name: name.into(),
                value: value.into(),
            }])
        };
        assert_eq!(check_verdict(&set("temperature", "0.5")), Ok(()));
        assert!(check_verdict(&set("messages", "[]")).is_err());
        assert!(check_verdict(&set("model", "\"x\"")).is_err());
        assert!(check_verdict(&set("temperature", "warm")).is_err());
    }
}
