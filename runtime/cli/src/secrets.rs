//! How a secret gets in: typed without echo, or piped in. Never as an argument, which others on the machine can see.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};

use anyhow::{Context as _, bail};

/// Longest input that is read. Bytes.
const MAX_INPUT: u64 = 1 << 20;

/// Asks for each field at a terminal, else reads standard input.
///
/// # Errors
/// Nothing is given for a field, or the input does not fit the fields.
pub(crate) fn ask(fields: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    if std::io::stdin().is_terminal() {
        return fields
            .iter()
            .map(|field| {
                let secret =
                    rpassword::prompt_password(format!("{field}: ")).context("the terminal")?;
                Ok((field.clone(), typed(field, &secret)?))
            })
            .collect();
    }
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_INPUT)
        .read_to_string(&mut text)
        .context("standard input")?;
    piped(fields, &text)
}

/// A secret has no blanks; a command that was pasted along with this one has, and would be kept in its place.
fn typed(field: &str, secret: &str) -> anyhow::Result<String> {
    let secret = secret.trim();
    if secret.is_empty() {
        bail!("nothing was given for {field}");
    }
    if secret.contains(char::is_whitespace) {
        bail!(
            "what was given for {field} has blanks in it, and was not stored: was a command pasted with this one? A secret \
             with blanks can be piped in"
        );
    }
    Ok(secret.to_owned())
}

/// With one field the whole input is its secret (a key file may have many lines); with more, lines `FIELD=SECRET`.
fn piped(fields: &[String], text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    if let [field] = fields {
        let secret = text.trim();
        let secret = secret
            .strip_prefix(field.as_str())
            .and_then(|rest| rest.strip_prefix('='))
            .unwrap_or(secret);
        if secret.is_empty() {
            bail!("standard input holds nothing for {field}");
        }
        return Ok(BTreeMap::from([(field.clone(), secret.to_owned())]));
    }
    let mut found = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let Some((name, secret)) = line.split_once('=') else {
            // The line itself may be a secret: it is not repeated.
            bail!("standard input must hold lines FIELD=SECRET");
        };
        if !fields.iter().any(|field| field == name) {
            bail!("standard input names a field that --field does not");
        }
        found.insert(name.to_owned(), secret.to_owned());
    }
    match fields
        .iter()
        .find(|field| found.get(*field).is_none_or(String::is_empty))
    {
        Some(field) => bail!("standard input holds nothing for {field}"),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_command_pasted_at_the_prompt_is_no_secret() {
        assert_eq!(typed("api-key", " sk-1 ").unwrap(), "sk-1");
        for text in ["", " ", "tollgate upstream set here"] {
            let error = typed("api-key", text).unwrap_err().to_string();
            assert!(error.contains("api-key") && !error.contains("upstream"));
        }
    }

    #[test]
    fn one_field_takes_the_whole_input() {
        let key = names(&["api-key"]);
        assert_eq!(piped(&key, "sk-1\n").unwrap()["api-key"], "sk-1");
        assert_eq!(piped(&key, "api-key=sk-1").unwrap()["api-key"], "sk-1");
        assert_eq!(
            piped(&key, "-----A\nb=\n").unwrap()["api-key"],
            "-----A\nb="
        );
        assert!(piped(&key, " \n").is_err());
    }

    #[test]
    fn several_fields_are_named_and_no_error_repeats_the_input() {
        let two = names(&["id", "secret"]);
        assert_eq!(piped(&two, "id=a\nsecret=b=c\n").unwrap()["secret"], "b=c");
        for text in ["id=hush", "hush", "id=a\nhush=b", "id=hush\nsecret="] {
            let error = piped(&two, text).unwrap_err().to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
