//! Header templates: text with `{field}` in it.

use zeroize::Zeroizing;

use crate::error::VaultError;

/// Fills `{field}` by asking `field`; `{{` stands for one `{`, and every other `}` for itself.
pub(crate) fn render<'a>(
    template: &str,
    field: impl Fn(&str) -> Result<&'a str, VaultError>,
) -> Result<Zeroizing<String>, VaultError> {
    // Measured first, so that no growing buffer leaves half a secret behind in freed memory.
    let mut length = 0;
    walk(template, &field, &mut |part| length += part.len())?;
    let mut text = Zeroizing::new(String::with_capacity(length));
    walk(template, &field, &mut |part| text.push_str(part))?;
    Ok(text)
}

fn walk<'a>(
    template: &str,
    field: &impl Fn(&str) -> Result<&'a str, VaultError>,
    part: &mut dyn FnMut(&str),
) -> Result<(), VaultError> {
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        part(&rest[..at]);
        let inside = &rest[at + 1..];
        if let Some(after) = inside.strip_prefix('{') {
            part("{");
            rest = after;
            continue;
        }
        let (name, after) = inside
            .split_once('}')
            .filter(|(name, _)| !name.contains('{'))
            .ok_or(VaultError::Template)?;
        part(field(name)?);
        rest = after;
    }
    part(rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str) -> Result<String, VaultError> {
        let field = |name: &str| match name {
            "api-key" => Ok("k{1}"),
            "account" => Ok("a b"),
            other => Err(VaultError::UnknownField {
                credential: "c".into(),
                field: other.into(),
            }),
        };
        render(template, field).map(|text| text.to_string())
    }

    /// The contract's own examples: components, the component host and the vault must read a template alike.
    #[test]
    fn templates_become_what_the_contract_says() {
        let examples = include_str!("../../../wit/0.1.0/header-templates.json");
        let examples: serde_json::Value = serde_json::from_str(examples).unwrap();
        for example in examples["templates"].as_array().unwrap() {
            let template = example[0].as_str().unwrap();
            assert_eq!(
                fill(template).ok().as_deref(),
                example[1].as_str(),
                "{template:?}"
            );
        }
        for text in examples["texts"].as_array().unwrap() {
            let text = text.as_str().unwrap();
            assert_eq!(fill(&text.replace('{', "{{")).unwrap(), text);
        }
        assert_eq!(fill("plain ü").unwrap(), "plain ü");
    }

    #[test]
    fn a_value_with_braces_is_not_filled_again() {
        assert_eq!(fill("{api-key}").unwrap(), "k{1}");
    }

    #[test]
    fn an_unknown_field_is_named() {
        assert!(
            fill("x {token}")
                .unwrap_err()
                .to_string()
                .contains("`token`")
        );
    }

    #[test]
    fn an_opening_brace_without_its_closing_one_is_refused() {
        for template in ["{", "{api-key", "{a{api-key}", "{{{"] {
            assert!(
                matches!(fill(template), Err(VaultError::Template)),
                "{template}"
            );
        }
    }
}
