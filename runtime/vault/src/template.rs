//! Header templates: text with `{field}` in it.

use zeroize::Zeroizing;

use crate::error::VaultError;

/// Fills `{field}` by asking `field`; `{{` and `}}` stand for braces.
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
    while let Some(at) = rest.find(['{', '}']) {
        part(&rest[..at]);
        let brace = &rest[at..];
        if brace.starts_with("{{") || brace.starts_with("}}") {
            part(&brace[..1]);
            rest = &brace[2..];
            continue;
        }
        let name = brace
            .strip_prefix('{')
            .and_then(|inside| inside.split_once('}'));
        let (name, after) = name
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
            "" => Ok("empty"),
            other => Err(VaultError::UnknownField {
                credential: "c".into(),
                field: other.into(),
            }),
        };
        render(template, field).map(|text| text.to_string())
    }

    #[test]
    fn fields_are_filled_and_doubled_braces_are_literal() {
        assert_eq!(fill("Bearer {api-key}").unwrap(), "Bearer k{1}");
        assert_eq!(fill("{api-key}{api-key}").unwrap(), "k{1}k{1}");
        assert_eq!(fill("{{api-key}}").unwrap(), "{api-key}");
        assert_eq!(fill("{{{api-key}}}").unwrap(), "{k{1}}");
        assert_eq!(fill("plain ü").unwrap(), "plain ü");
        assert_eq!(fill("").unwrap(), "");
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
    fn a_lonely_brace_is_refused() {
        for template in ["{", "}", "a}b", "{api-key", "{a{api-key}", "x{{}"] {
            assert!(
                matches!(fill(template), Err(VaultError::Template)),
                "{template}"
            );
        }
    }
}
