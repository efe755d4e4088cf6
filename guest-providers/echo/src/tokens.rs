//! A plausible count of tokens, from the text alone.

/// How many tokens a text would roughly be: a word of up to five letters is one, a longer one more, a sign or an
/// ideograph one each.
pub(crate) fn count(text: &str) -> u64 {
    let mut tokens = 0;
    let mut word = 0u64;
    for c in text.chars() {
        if c.is_alphanumeric() && (c as u32) < 0x2E80 {
            word += 1;
            continue;
        }
        tokens += word.div_ceil(5);
        word = 0;
        tokens += u64::from(!c.is_whitespace());
    }
    tokens + word.div_ceil(5)
}

/// The beginning of a text that is at most so many tokens long, cut after a whole word where possible.
pub(crate) fn cut(text: &str, limit: u64) -> &str {
    let mut kept = 0;
    let mut tokens = 0;
    for piece in words(text) {
        tokens += count(piece);
        if tokens > limit {
            break;
        }
        kept += piece.len();
    }
    &text[..kept]
}

/// The text in pieces of one word and the space after it; ideographs are words.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let wide = |c: char| c as u32 >= 0x2E80;
        let word = if wide(first) {
            first.len_utf8()
        } else {
            rest.find(|c: char| c.is_whitespace() || wide(c))
                .unwrap_or(rest.len())
        };
        let space = rest[word..].find(|c: char| !c.is_whitespace());
        let (piece, after) = rest.split_at(space.map_or(rest.len(), |space| word + space));
        rest = after;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_signs_and_ideographs_are_counted() {
        assert_eq!(count(""), 0);
        assert_eq!(count("hello world"), 2);
        assert_eq!(count("incomprehensible!"), 5);
        assert_eq!(count("你好 a"), 3);
    }

    #[test]
    fn pieces_put_together_are_the_text() {
        for text in ["", "one", " lead two  three\n", "你好，世界 ok", "a\n\nb"] {
            assert_eq!(words(text).collect::<String>(), text);
        }
        assert_eq!(words("你好").count(), 2);
    }

    #[test]
    fn a_cut_text_is_a_beginning_within_the_limit() {
        assert_eq!(cut("one two three four", 2), "one two ");
        assert_eq!(cut("one two", 9), "one two");
        assert_eq!(cut("one", 0), "");
    }
}
