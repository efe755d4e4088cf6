//! Takes out of a vendor's message what is not for the client.

/// What account ids and secrets begin with at the vendors that put them into messages.
const PRIVATE: [&str; 9] = [
    "sk-", "sk_", "org-", "proj_", "proj-", "user-", "acct_", "key-", "req_",
];

/// The longest message passed on, in bytes.
const MAX_LENGTH: usize = 2048;

/// The message without secrets and account ids, shortened to 2 KiB; `None` if nothing is left.
///
/// ```
/// use tollgate_guest::classify::clean;
/// assert_eq!(clean("Limit reached in organization org-a1b2c3 on requests.").as_deref(),
///     Some("Limit reached in organization … on requests."));
/// assert_eq!(clean("  "), None);
/// ```
pub fn clean(message: &str) -> Option<String> {
    let mut kept = String::with_capacity(message.len().min(MAX_LENGTH));
    let mut rest = message.trim();
    while !rest.is_empty() && kept.len() < MAX_LENGTH {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        kept.push_str(if is_private(word) { "…" } else { word });
        let gap = after.find(is_word).unwrap_or(after.len());
        kept.push_str(&after[..gap]);
        rest = &after[gap..];
    }
    if kept.len() > MAX_LENGTH {
        kept.truncate(kept.floor_char_boundary(MAX_LENGTH));
        kept.push('…');
    }
    (!kept.is_empty()).then_some(kept)
}

/// Characters of which ids and keys are made. Asterisks: vendors mask the middle of a key with them.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '*')
}

/// Ids and keys begin like one and are not plain words: `org-a1b2`, not `user-friendly`.
fn is_private(word: &str) -> bool {
    let plain = word
        .chars()
        .all(|c| c.is_ascii_lowercase() || matches!(c, '-' | '_'));
    !plain && PRIVATE.iter().any(|prefix| word.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_keys_are_taken_out_wherever_they_stand() {
        let cases = [
            ("Key sk-proj-12345678 is bad", "Key … is bad"),
            ("key: sk-abc***********wxyz.", "key: …."),
            ("(org-0123456789ab)", "(…)"),
            (
                "organization-wide user-friendly limit",
                "organization-wide user-friendly limit",
            ),
        ];
        for (message, expected) in cases {
            assert_eq!(clean(message).unwrap(), expected);
        }
    }

    #[test]
    fn a_message_without_anything_private_is_unchanged() {
        let message = "messages.3.content.0: Invalid `signature` in `thinking` block — “größer”";
        assert_eq!(clean(message).as_deref(), Some(message));
    }

    #[test]
    fn an_endless_message_is_cut_between_characters() {
        let cleaned = clean(&"ü".repeat(5000)).unwrap();
        assert!(cleaned.len() <= MAX_LENGTH + '…'.len_utf8());
        assert!(cleaned.ends_with('…'));
    }
}
