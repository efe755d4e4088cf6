//! Readers: a vendor's answer, whole or event by event, told in the words of the middle.

mod arguments;
mod calls;
mod chat;
mod cited;
mod envelope;
mod items;
mod messages;
mod ran;
mod responses;
mod said;
mod slot;

use crate::json::walk::Raw;
use crate::usage::Told;
use crate::{ApiError, Dialect, Operation, Usage, UsageHints};

use super::event::{Event, Kind, Sink};
use super::failure;

/// The reader of one answer.
#[derive(Debug)]
pub(crate) struct Reader {
    dialect: Dialects,
    common: Common,
}

#[derive(Debug)]
enum Dialects {
    Chat(chat::Chat),
    Responses(responses::Responses),
    Messages(messages::Messages),
}

/// What every dialect's reader keeps.
#[derive(Debug)]
struct Common {
    operation: Operation,
    hints: std::sync::Arc<UsageHints>,
    told: Told,
    /// The service tier, where the vendor says one that others know.
    served: Option<&'static str>,
    next_part: u32,
    /// Bytes that were ever kept: signatures, beginnings of calls and blocks. Not much in any sound answer.
    kept: usize,
    /// Places that were ever taken: of parts, and of what may become parts.
    places: usize,
    /// The terminal event has been told: what follows is of no interest.
    ended: bool,
}

/// What a part costs in memory, its places in reader, middle and writer together: about.
const PLACE: usize = 256;

/// So many places may be taken in one answer, two by a call: one as it comes together and one as a part. Which of them an
/// event speaks of is searched among all: without a ceiling a stream of 60,000 calls took 35 seconds of a worker. No sound
/// answer has a tenth of it.
const MOST_PLACES: usize = 8_192;

/// Vendors' words for a tier, and that of Chat and Responses.
const TIERS: [(&str, &str); 6] = [
    ("default", "default"),
    ("standard", "default"),
    ("flex", "flex"),
    ("scale", "scale"),
    ("priority", "priority"),
    ("fast", "fast"),
];

impl Common {
    fn part(&mut self) -> u32 {
        let part = self.next_part;
        self.next_part = self.next_part.wrapping_add(1);
        self.place();
        part
    }

    /// Takes a place.
    fn place(&mut self) {
        self.kept += PLACE;
        self.places += 1;
    }

    /// Whether the answer has more in it than is held: it fails, and what else is in it need not be read.
    fn is_full(&self) -> bool {
        self.places > MOST_PLACES
    }

    /// Opens a part.
    fn open(&mut self, kind: Kind<'_>, sink: &mut dyn Sink) -> u32 {
        let part = self.part();
        sink.event(Event::Open { part, kind });
        part
    }

    /// Takes the usage object of an event, and what hides where only the provider knows.
    fn usage(&mut self, usage: Option<Raw<'_>>) {
        if let Some(usage) = usage.filter(|usage| !usage.is_null()) {
            self.told.take(self.operation, usage, &self.hints);
            if self.operation == Operation::Messages {
                self.tier(usage.get("service_tier"));
            }
        }
    }

    /// Takes the service tier that the vendor names.
    fn tier(&mut self, tier: Option<Raw<'_>>) {
        let Some(tier) = tier else { return };
        let known = TIERS.into_iter().find(|(word, _)| tier.is_word(word));
        if let Some((_, tier)) = known {
            self.served = Some(tier);
        }
    }

    /// Ends an answer that has more in it than is held.
    fn check(&mut self, sink: &mut dyn Sink) {
        if self.is_full() && !self.ended {
            self.fail(failure::too_large(), sink);
        }
    }

    fn hinted(&mut self, event: Raw<'_>, pointers: impl Fn(&UsageHints) -> &[String]) {
        let hints = self.hints.clone();
        for pointer in pointers(&hints) {
            self.usage(event.at_pointer(pointer));
        }
    }

    fn told(&self) -> Option<Usage> {
        self.told.usage()
    }

    /// The answer is whole.
    fn end(&mut self, sink: &mut dyn Sink) {
        if self.is_full() {
            return self.fail(failure::too_large(), sink);
        }
        if let Some(tier) = self.served {
            sink.event(Event::Served(tier));
        }
        if let Some(usage) = self.told() {
            sink.event(Event::Usage(usage));
        }
        sink.event(Event::End);
        self.ended = true;
    }

    fn fail(&mut self, error: ApiError, sink: &mut dyn Sink) {
        // What was told until now was not for nothing: it may be written before the failure.
        let error = if self.is_full() {
            failure::too_large()
        } else {
            error
        };
        sink.event(Event::Fail(error));
        self.ended = true;
    }
}

impl Reader {
    pub(crate) fn new(dialect: Dialect, hints: std::sync::Arc<UsageHints>) -> Self {
        let (operation, dialect) = match dialect {
            Dialect::OpenaiResponses => (
                Operation::Responses,
                Dialects::Responses(responses::Responses::default()),
            ),
            Dialect::AnthropicMessages => (
                Operation::Messages,
                Dialects::Messages(messages::Messages::default()),
            ),
            Dialect::OpenaiChat | Dialect::OpenaiEmbeddings => (
                Operation::ChatCompletions,
                Dialects::Chat(chat::Chat::default()),
            ),
        };
        Self {
            dialect,
            common: Common {
                operation,
                hints,
                told: Told::default(),
                served: None,
                next_part: 0,
                kept: 0,
                places: 0,
                ended: false,
            },
        }
    }

    /// Takes an event: its name, and its data, which need not be JSON.
    pub(crate) fn event(&mut self, name: Option<&[u8]>, data: &[u8], sink: &mut dyn Sink) {
        let data = data.trim_ascii();
        if self.common.ended || data.is_empty() {
            return;
        }
        let common = &mut self.common;
        if data == b"[DONE]" {
            match &mut self.dialect {
                Dialects::Chat(chat) => chat.done(common, sink),
                // Some send it behind the terminal event of these dialects; by itself it ends nothing.
                Dialects::Responses(_) | Dialects::Messages(_) => {}
            }
            return;
        }
        if let Dialects::Chat(chat) = &mut self.dialect
            && chat.told_delta(data, common, sink)
        {
            common.check(sink);
            return;
        }
        if !crate::json::scan::is_value(data) {
            common.fail(failure::unreadable(), sink);
            return;
        }
        let event = Raw::new(data);
        match &mut self.dialect {
            Dialects::Chat(chat) => chat.event(event, common, sink),
            Dialects::Responses(responses) => responses.event(name, event, common, sink),
            Dialects::Messages(messages) => messages.event(name, event, common, sink),
        }
        common.check(sink);
    }

    /// Takes a whole JSON answer, which need not be one.
    pub(crate) fn whole(&mut self, body: &[u8], sink: &mut dyn Sink) {
        let body = crate::json::unmarked(body);
        let common = &mut self.common;
        if !crate::json::scan::is_value(body) {
            common.fail(failure::unreadable(), sink);
            return;
        }
        let answer = Raw::new(body);
        if let Some((code, message)) = crate::stream::failure(common.operation, answer) {
            common.fail(failure::told(&code, message), sink);
            return;
        }
        common.usage(answer.get("usage"));
        common.hinted(answer, |hints| &hints.pointers);
        match &mut self.dialect {
            Dialects::Chat(chat) => chat.whole(answer, common, sink),
            Dialects::Responses(responses) => responses.whole(answer, common, sink),
            Dialects::Messages(messages) => messages.whole(answer, common, sink),
        }
    }

    /// Bytes of the answer that are held.
    pub(crate) fn held(&self) -> usize {
        self.common.kept
    }

    /// The stream has ended: so has an answer that is whole but for its last line.
    pub(crate) fn closed(&mut self, sink: &mut dyn Sink) {
        if !self.common.ended
            && let Dialects::Chat(chat) = &mut self.dialect
            && chat.has_stopped()
        {
            // Some vendors forget `[DONE]`.
            chat.done(&mut self.common, sink);
        }
    }
}
