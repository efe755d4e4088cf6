//! What of a request can be said in another dialect and from there in its own again: the rest is a loss that the table
//! of the bridge (`bridge/loss`) tells of, each looked up here by its row.

mod content;
mod settings;
mod tools;

use tollgate_dialect::Dialect;
use tollgate_dialect::bridge::Context;
use tollgate_dialect::bridge::loss::{Fate, others, request_rows};

use self::content::{joined, texts_before_calls};
pub(crate) use self::tools::{members, same_tool};
use super::meaning::Meaning;

/// A way there and back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) from: Dialect,
    pub(crate) over: Dialect,
}

const MESSAGES: Dialect = Dialect::AnthropicMessages;
const RESPONSES: Dialect = Dialect::OpenaiResponses;
const CHAT: Dialect = Dialect::OpenaiChat;

/// What the table says of a field, if it lists it.
fn fate(from: Dialect, to: Dialect, field: &str) -> Option<Fate> {
    let row = request_rows(from).iter().find(|row| row.field == field)?;
    let index = others(from).iter().position(|other| *other == to)?;
    Some(row.fates[index])
}

/// The table tells of a loss by this row: that it is converted or dropped.
fn told(from: Dialect, to: Dialect, field: &str) {
    let fate = fate(from, to, field);
    assert!(
        matches!(fate, Some(Fate::Converted(_) | Fate::Dropped(_))),
        "the table does not tell of {field} from {from:?} to {to:?}: {fate:?}"
    );
}

impl Way {
    fn touches(self, dialect: Dialect) -> bool {
        self.from == dialect || self.over == dialect
    }

    /// What of this can be said there and back; `there`: what the way there remembers.
    pub(crate) fn sayable(self, mut meaning: Meaning, there: &Context) -> Result<Meaning, String> {
        self.unread(&mut meaning)?;
        self.what_no_tool_is_offered_for(&mut meaning);
        self.settings(&mut meaning);
        self.cap(&mut meaning);
        if self.over == MESSAGES {
            self.free_tools_as_functions(&mut meaning);
            self.choice_without_names(&mut meaning);
            self.searches_without_search(&mut meaning.settings);
            self.format_in_messages(&mut meaning, there);
            self.media_in_messages(&mut meaning);
            self.thinking_in_messages(&mut meaning);
            self.sampling_in_messages(&mut meaning);
        }
        if self.from == MESSAGES {
            self.errors_as_text(&mut meaning);
            self.thinking_of_messages(&mut meaning);
            self.sampling_of_messages(&mut meaning);
        }
        if self.touches(MESSAGES) {
            self.tools_of_the_history(&mut meaning);
        }
        if (self.from, self.over) == (CHAT, RESPONSES) {
            self.thinking_of_chat(&mut meaning);
        }
        if self.over == CHAT {
            self.what_a_search_cannot_say(&mut meaning);
            self.media_after_results(&mut meaning);
        }
        if self.touches(CHAT) {
            self.detail_in_chat(&mut meaning);
        }
        self.marks(&mut meaning);
        self.plain(&mut meaning);
        if self.touches(MESSAGES) {
            self.begins_with_the_user(&mut meaning);
            self.ends_in_no_white_space(&mut meaning);
            self.goes_on(&mut meaning);
        }
        Ok(meaning)
    }

    /// The same of what came back, where two ways of writing it mean the same.
    pub(crate) fn plain(self, meaning: &mut Meaning) {
        self.settings_dropped(meaning);
        if self.touches(MESSAGES) {
            self.without_blanks(meaning);
        }
        if self.touches(CHAT) {
            meaning.said = texts_before_calls(std::mem::take(&mut meaning.said));
        }
        joined(&mut meaning.said);
        self.ids_too_long(&mut meaning.settings);
    }
}
