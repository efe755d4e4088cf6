//! Where the arguments of a tool call end.

use crate::bridge::answer::escaped::Escaped;

/// Follows arguments as they come and knows when they are one whole JSON object.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    depth: u32,
    in_text: bool,
    after_backslash: bool,
    whole: bool,
}

impl Arguments {
    pub(super) fn push(&mut self, text: Escaped<'_>) {
        for byte in text.text().bytes() {
            if self.in_text {
                match byte {
                    _ if self.after_backslash => self.after_backslash = false,
                    b'\\' => self.after_backslash = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.whole |= self.depth == 1;
                    self.depth = self.depth.saturating_sub(1);
                }
                _ => {}
            }
        }
    }

    /// Whether nothing more can come.
    pub(super) const fn is_whole(&self) -> bool {
        self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_end_with_their_last_brace_and_not_with_one_in_a_text() {
        let arguments = br#"{\"a\":\"}\\\"}\",\"b\":[{}],\"c\":{\"d\":\"\\\\\"}}"#;
        let mut follower = Arguments::default();
        for at in 0..arguments.len() {
            // Cut only where an escape is not: a JSON string never is cut within one.
            if arguments[at] != b'\\' && (at == 0 || arguments[at - 1] != b'\\') {
                let mut early = Arguments::default();
                early.push(Escaped::trusted(&arguments[..at]));
                assert!(!early.is_whole(), "at {at}");
            }
        }
        follower.push(Escaped::trusted(&arguments[..5]));
        follower.push(Escaped::trusted(&arguments[5..]));
        assert!(follower.is_whole());
    }
}
