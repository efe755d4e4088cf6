//! The beginning of an answer that the client has written itself, for the model to go on with.
//!
//! In Messages that is what a last message of the assistant means. Elsewhere it is one more message, after which a model
//! begins anew, while the client puts its own beginning in front of what comes: `{` and a whole object are no JSON. So the
//! model is told. A user's message is what every vendor takes as the last one; some refuse an assistant's there.

use super::model::{Conversation, Item, Message, Part, Place, Role};
use super::shared::all_text;
use crate::Dialect;

/// What the model is told.
const GO_ON: &str = "Go on exactly where your last message ends, as if it were the beginning of this answer. Repeat nothing of it.";

/// Asks the model to go on, where the vendor's dialect does not mean it by itself.
pub(super) fn ask(said: &mut Conversation<'_>, to: Dialect) {
    if to == Dialect::AnthropicMessages || !said.continues {
        return;
    }
    let Some(Item::Message(last)) = said.items.last() else {
        return;
    };
    let begins = |text: &&str| !text.trim().is_empty();
    let begun = all_text(&last.parts).is_some_and(|texts| texts.iter().any(begins));
    if last.role != Role::Assistant || !begun {
        return;
    }
    said.items.push(Item::Message(Message {
        role: Role::User,
        parts: vec![Part::text(Place::Item(said.items.len()), GO_ON.into())],
    }));
}
