//! JSON Pointers (RFC 6901).

use std::borrow::Cow;

use crate::Invalid;

/// The tokens of a pointer, unescaped; none for the whole text.
pub(crate) fn tokens(pointer: &str) -> Result<Vec<Cow<'_, str>>, Invalid> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(path) = pointer.strip_prefix('/') else {
        return Err(Invalid::body(format!(
            "the JSON pointer `{pointer}` of an edit must begin with `/`"
        )));
    };
    path.split('/')
        .map(|token| {
            let tilde = token
                .match_indices('~')
                .find(|(at, _)| !matches!(token.as_bytes().get(at + 1), Some(b'0' | b'1')));
            match tilde {
                None => Ok(unescape(token)),
                Some(_) => Err(Invalid::body(format!(
                    "the JSON pointer `{pointer}` of an edit has a bare `~`"
                ))),
            }
        })
        .collect()
}

/// One token, unescaped.
pub(crate) fn unescape(token: &str) -> Cow<'_, str> {
    if token.contains('~') {
        Cow::Owned(token.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(token)
    }
}

/// The array index a token stands for: decimal digits without leading zeros.
pub(crate) fn index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with('0');
    (canonical && token.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| token.parse().ok())
        .flatten()
}

/// Tokens in the notation of error bodies: `messages[2].content`.
pub(crate) fn dotted(tokens: &[Cow<'_, str>]) -> String {
    let mut path = String::new();
    for token in tokens {
        if index(token).is_some() && !path.is_empty() {
            path.push('[');
            path.push_str(token);
            path.push(']');
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(token);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_follow_the_rfc() {
        assert_eq!(tokens("").unwrap(), Vec::<Cow<'_, str>>::new());
        assert_eq!(tokens("/").unwrap(), vec![""]);
        assert_eq!(tokens("/a~1b/~01/-").unwrap(), vec!["a/b", "~1", "-"]);
        assert!(tokens("a").is_err());
        assert!(tokens("/a~").is_err());
        assert!(tokens("/a~2").is_err());
        assert_eq!(
            dotted(&tokens("/messages/2/content").unwrap()),
            "messages[2].content"
        );
    }

    #[test]
    fn only_canonical_numbers_are_indices() {
        assert_eq!(index("0"), Some(0));
        assert_eq!(index("17"), Some(17));
        for token in ["", "01", "-", "-1", "+1", "1.0", "99999999999999999999999"] {
            assert_eq!(index(token), None, "{token}");
        }
    }
}
