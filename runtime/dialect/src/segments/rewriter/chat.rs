//! Streamed pieces of Chat Completions.

use super::{AnswerRewriter, Channel, Denied, Kind, TextFilter, Turn};
use crate::json::text::quote;
use crate::json::walk::Raw;
use crate::segments::find::{Field, Finder, Found};
use crate::segments::{Role, choices, exchange};

impl AnswerRewriter {
    pub(super) fn chat(
        &mut self,
        chunk: Raw<'_>,
        filter: &mut dyn TextFilter,
        turn: &mut Turn,
    ) -> Result<(), Denied> {
        if self.envelope.is_empty() && chunk.get("choices").is_some() {
            self.envelope = envelope(chunk);
        }
        for (_, list) in chunk.members().filter(|(key, _)| key.is("choices")) {
            self.chat_deltas(list, filter, turn)?;
            // Some vendors repeat the whole message at the end.
            let mut finder = Finder::new(Role::Assistant);
            choices(&mut finder, list, "message")
                .map_err(|invalid| Denied::unreadable(&invalid.message))?;
            for found in &finder.found {
                let text = found.value.text().unwrap_or_default();
                let passed = self
                    .channels
                    .whole(found.group, found.kind, &text, filter)?;
                if passed != text {
                    exchange(&mut turn.splices, found, &passed);
                }
            }
        }
        Ok(())
    }

    fn chat_deltas(
        &mut self,
        list: Raw<'_>,
        filter: &mut dyn TextFilter,
        turn: &mut Turn,
    ) -> Result<(), Denied> {
        let mut finder = Finder::new(Role::Assistant);
        choices(&mut finder, list, "delta")
            .map_err(|invalid| Denied::unreadable(&invalid.message))?;
        let ending: Vec<u32> = list
            .items()
            .enumerate()
            .filter_map(|(position, choice)| ended(position, choice))
            .collect();
        for (position, found) in finder.found.iter().enumerate() {
            let text = found.value.text().unwrap_or_default();
            if text.is_empty() {
                continue;
            }
            if found.field == Field::Other {
                let passed = self
                    .channels
                    .whole(found.group, found.kind, &text, filter)?;
                if passed != text {
                    exchange(&mut turn.splices, found, &passed);
                }
                continue;
            }
            let channel = channel(found);
            if found.kind != Kind::Reasoning {
                // Reasoning is over where the answer begins: what it held back belongs before it.
                for over in self
                    .channels
                    .open(|open| open.group == channel.group && is_reasoning(open))
                {
                    self.end(over, None, filter, turn)?;
                }
            }
            let mut passed = self.channels.push(channel, found.kind, &text, filter)?;
            let later = &finder.found[position + 1..];
            if ends_here(channel, later, &ending) {
                // No later delta goes on with it: what was held back goes into this one.
                passed.push_str(&self.channels.finish(channel, filter)?.unwrap_or_default());
            }
            if passed != text {
                exchange(&mut turn.splices, found, &passed);
            }
        }
        ending
            .into_iter()
            .try_for_each(|group| self.flush(Some(group), filter, turn))
    }
}

/// The channel of a piece. A delta whose content is a list of parts goes on with one text, as one does whose content is a
/// string: what is held back of either comes in a string.
fn channel(found: &Found<'_>) -> Channel {
    let (part, field) = match found.field {
        Field::ReasoningDetail | Field::Arguments | Field::Input => (found.part, found.field),
        Field::Summary => (0, Field::Reasoning),
        field => (0, field),
    };
    Channel {
        group: found.group,
        part,
        field: field as u32,
    }
}

/// Whether a channel is over with the piece before `later` pieces of the same chunk: its choice ends, or the answer begins
/// behind the reasoning.
fn ends_here(of: Channel, later: &[Found<'_>], ending: &[u32]) -> bool {
    let says = |piece: &Found<'_>| piece.value.text().is_some_and(|text| !text.is_empty());
    let goes_on = later
        .iter()
        .position(|piece| channel(piece) == of && says(piece));
    let answer = later.iter().position(|piece| {
        piece.group == of.group
            && piece.kind != Kind::Reasoning
            && piece.field != Field::Other
            && says(piece)
    });
    match (goes_on, answer) {
        (Some(goes_on), Some(answer)) => is_reasoning(of) && answer < goes_on,
        (None, Some(_)) if is_reasoning(of) => true,
        (None, _) => ending.contains(&of.group),
        (Some(_), None) => false,
    }
}

fn is_reasoning(channel: Channel) -> bool {
    [
        Field::Reasoning,
        Field::ReasoningToo,
        Field::ReasoningDetail,
    ]
    .iter()
    .any(|field| *field as u32 == channel.field)
}

/// The choice's index, if this piece is its last.
fn ended(position: usize, choice: Raw<'_>) -> Option<u32> {
    let reason = choice.get("finish_reason")?.inner()?;
    let index = choice
        .get("index")
        .and_then(Raw::count)
        .unwrap_or(position as u64);
    (!reason.is_empty()).then(|| u32::try_from(index).unwrap_or(u32::MAX))
}

/// A chunk's members but for what differs from chunk to chunk, with the opening brace and a comma behind each.
fn envelope(chunk: Raw<'_>) -> Vec<u8> {
    let mut out = b"{".to_vec();
    for (key, value) in chunk.members() {
        let known: &[&[u8]] = &[
            b"id",
            b"object",
            b"created",
            b"model",
            b"system_fingerprint",
            b"service_tier",
            b"provider",
        ];
        if known.contains(&key.0) {
            out.extend_from_slice(&[b"\"", key.0, b"\":", value.bytes, b","].concat());
        }
    }
    out
}

/// Appends a chunk that carries what a channel held back.
pub(super) fn put_in(envelope: &[u8], channel: Channel, text: &str, out: &mut Vec<u8>) {
    let Channel { group, part, field } = channel;
    let is = |wanted: Field| field == wanted as u32;
    let (open, close) = if is(Field::Refusal) {
        ("\"refusal\":".to_owned(), "")
    } else if is(Field::Reasoning) {
        ("\"reasoning_content\":".to_owned(), "")
    } else if is(Field::ReasoningToo) {
        ("\"reasoning\":".to_owned(), "")
    } else if is(Field::ReasoningDetail) {
        (
            format!(
                "\"reasoning_details\":[{{\"type\":\"reasoning.text\",\"index\":{part},\"text\":"
            ),
            "}]",
        )
    } else if is(Field::Arguments) {
        (
            format!("\"tool_calls\":[{{\"index\":{part},\"function\":{{\"arguments\":"),
            "}}]",
        )
    } else if is(Field::Input) {
        (
            format!("\"tool_calls\":[{{\"index\":{part},\"custom\":{{\"input\":"),
            "}}]",
        )
    } else if is(Field::Transcript) {
        ("\"audio\":{\"transcript\":".to_owned(), "}")
    } else {
        ("\"content\":".to_owned(), "")
    };
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(envelope);
    out.extend_from_slice(
        format!("\"choices\":[{{\"index\":{group},\"delta\":{{{open}").as_bytes(),
    );
    quote(out, text);
    out.extend_from_slice(close.as_bytes());
    out.extend_from_slice(b"},\"finish_reason\":null}]}\n\n");
}
