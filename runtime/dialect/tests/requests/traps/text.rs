//! Text that clients cut where they should not.

use serde_json::Value;

use super::{CHAT, MESSAGES, RESPONSES};
use crate::support::*;

/// JavaScript counts half characters, and so clients that shorten their history end in the middle of one.
#[test]
fn a_history_that_was_cut_inside_a_character_goes_on_without_that_character() {
    let text = r"a\ud83d b \ud83e\udd80 \\ud83d";
    for (from, body) in [
        (
            CHAT,
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#),
        ),
        (RESPONSES, format!(r#"{{"model":"m","input":"{text}"}}"#)),
        (
            MESSAGES,
            format!(
                r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"{text}"}}]}}"#
            ),
        ),
    ] {
        for to in others(from) {
            let made = bridged(from, &body, &bare(to)).unwrap().body;
            let made: Value = serde_json::from_slice(&made).unwrap();
            let made = made.to_string();
            assert!(made.contains("a\u{fffd} b 🦀 \\\\ud83d"), "{made}");
        }
    }
}
