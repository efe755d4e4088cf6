//! Header templates, as the contract says: `{field}` is a credential field, `{{` one `{`, every other `}` is itself.

/// A part of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Text(&'a str),
    Field(&'a str),
}

/// Splits a template; `None` after a `{` that is neither doubled nor closed.
pub(crate) fn parts(template: &str) -> impl Iterator<Item = Option<Part<'_>>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (part, after) = match rest.find('{') {
            None => (Part::Text(rest), ""),
            Some(0) => match rest[1..].strip_prefix('{') {
                Some(after) => (Part::Text("{"), after),
                None => match closed(&rest[1..]) {
                    Some((field, after)) => (Part::Field(field), after),
                    None => {
                        rest = "";
                        return Some(None);
                    }
                },
            },
            Some(at) => (Part::Text(&rest[..at]), &rest[at..]),
        };
        rest = after;
        Some(Some(part))
    })
}

fn closed(inside: &str) -> Option<(&str, &str)> {
    inside
        .split_once('}')
        .filter(|(field, _)| !field.contains('{'))
}

/// The text of a template that names no credential field; `None` for one that does, or that is none. Such a header needs
/// no credential, and its value is no secret.
#[must_use]
pub fn literal_header(template: &str) -> Option<String> {
    let mut text = String::with_capacity(template.len());
    for part in parts(template) {
        match part? {
            Part::Text(part) => text.push_str(part),
            Part::Field(_) => return None,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract's own examples.
    fn examples() -> serde_json::Value {
        serde_json::from_str(include_str!("../../../wit/0.1.0/header-templates.json")).unwrap()
    }

    fn fill(template: &str) -> Option<String> {
        parts(template)
            .map(|part| match part? {
                Part::Text(text) => Some(text.to_owned()),
                Part::Field("api-key") => Some("k{1}".to_owned()),
                Part::Field("account") => Some("a b".to_owned()),
                Part::Field(_) => None,
            })
            .collect()
    }

    #[test]
    fn templates_become_what_the_contract_says() {
        for example in examples()["templates"].as_array().unwrap() {
            let template = example[0].as_str().unwrap();
            assert_eq!(
                fill(template).as_deref(),
                example[1].as_str(),
                "{template:?}"
            );
        }
    }

    #[test]
    fn a_clients_text_travels_as_it_is_once_its_braces_are_doubled() {
        for text in examples()["texts"].as_array().unwrap() {
            let text = text.as_str().unwrap();
            let escaped = text.replace('{', "{{");
            assert_eq!(literal_header(&escaped).as_deref(), Some(text));
        }
        assert_eq!(literal_header("Bearer {api-key}"), None);
        assert_eq!(literal_header("{"), None);
    }
}
