//! Streamed pieces of the Anthropic dialect.

use super::{AnswerRewriter, Channel, Denied, Kind, TextFilter, Turn};
use crate::json::text::quote;
use crate::json::walk::Raw;
use crate::segments::find::{Field, Finder};
use crate::segments::{Role, exchange, over};
use crate::stream::event_type;

impl AnswerRewriter {
    pub(super) fn messages(
        &mut self,
        event: Raw<'_>,
        filter: &mut dyn TextFilter,
        turn: &mut Turn,
    ) -> Result<(), Denied> {
        let block = event
            .get("index")
            .and_then(Raw::count)
            .map_or(0, |index| u32::try_from(index).unwrap_or(u32::MAX));
        match event_type(event) {
            Some(b"message_start") => {
                let mut finder = Finder::new(Role::Assistant);
                if let Some(content) = event.at_pointer("/message/content") {
                    finder
                        .parts("content", content)
                        .map_err(|invalid| Denied::unreadable(&invalid.message))?;
                }
                self.come_whole(block, &finder, filter, turn)
            }
            Some(b"content_block_start") => self.block_start(block, event, filter, turn),
            Some(b"content_block_delta") => match event.get("delta") {
                Some(delta) => self.block_delta(block, delta, filter, turn),
                None => Ok(()),
            },
            Some(b"content_block_stop") => self.flush(Some(block), filter, turn),
            Some(b"message_delta" | b"message_stop") => self.flush(None, filter, turn),
            _ => Ok(()),
        }
    }

    fn block_start(
        &mut self,
        block: u32,
        event: Raw<'_>,
        filter: &mut dyn TextFilter,
        turn: &mut Turn,
    ) -> Result<(), Denied> {
        let Some(content) = event.get("content_block") else {
            return Ok(());
        };
        let streamed = match content.get("type").and_then(Raw::text).as_deref() {
            Some("text") => Some(("text", Field::Text, Kind::Text)),
            Some("thinking") => Some(("thinking", Field::Reasoning, Kind::Reasoning)),
            Some("compaction") => Some(("content", Field::Summary, Kind::Text)),
            _ => None,
        };
        if let Some((name, field, kind)) = streamed {
            return self.piece(block, content.get(name), field, kind, filter, turn);
        }
        let mut finder = Finder::new(Role::Assistant);
        finder
            .block("content_block", content)
            .map_err(|invalid| Denied::unreadable(&invalid.message))?;
        self.come_whole(block, &finder, filter, turn)
    }

    fn block_delta(
        &mut self,
        block: u32,
        delta: Raw<'_>,
        filter: &mut dyn TextFilter,
        turn: &mut Turn,
    ) -> Result<(), Denied> {
        let (name, field, kind) = match delta.get("type").and_then(Raw::text).as_deref() {
            Some("text_delta") => ("text", Field::Text, Kind::Text),
            Some("thinking_delta") => ("thinking", Field::Reasoning, Kind::Reasoning),
            Some("input_json_delta") => ("partial_json", Field::Arguments, Kind::ToolArguments),
            Some("compaction_delta") => ("content", Field::Summary, Kind::Text),
            // The signature closes the thinking: what that held back belongs before it.
            Some("signature_delta") => return self.flush(Some(block), filter, turn),
            // Quotes from what the client itself sent.
            Some("citations_delta") => return Ok(()),
            _ => {
                let mut finder = Finder::new(Role::Assistant);
                finder.strings(delta);
                return self.come_whole(block, &finder, filter, turn);
            }
        };
        self.piece(block, delta.get(name), field, kind, filter, turn)
    }

    fn piece(
        &mut self,
        block: u32,
        value: Option<Raw<'_>>,
        field: Field,
        kind: Kind,
        filter: &mut dyn TextFilter,
        turn: &mut Turn,
    ) -> Result<(), Denied> {
        let Some((value, text)) = value.and_then(|value| Some((value, value.text()?))) else {
            return Ok(());
        };
        let channel = Channel {
            group: block,
            part: 0,
            field: field as u32,
        };
        if text.is_empty() {
            return Ok(());
        }
        let passed = self.channels.push(channel, kind, &text, filter)?;
        if passed != text {
            let mut with = Vec::new();
            quote(&mut with, &passed);
            turn.splices.push(over(value, with));
        }
        Ok(())
    }

    /// Text that comes whole, not in pieces.
    pub(super) fn come_whole(
        &mut self,
        group: u32,
        finder: &Finder<'_>,
        filter: &mut dyn TextFilter,
        turn: &mut Turn,
    ) -> Result<(), Denied> {
        for found in &finder.found {
            let text = found.value.text().unwrap_or_default();
            let passed = self.channels.whole(group, found.kind, &text, filter)?;
            if passed != text {
                exchange(&mut turn.splices, found, &passed);
            }
        }
        Ok(())
    }
}

/// Appends a delta that carries what a channel held back.
pub(super) fn put_in(channel: Channel, text: &str, out: &mut Vec<u8>) {
    let (kind, name) = if channel.field == Field::Reasoning as u32 {
        ("thinking_delta", "thinking")
    } else if channel.field == Field::Arguments as u32 {
        ("input_json_delta", "partial_json")
    } else if channel.field == Field::Summary as u32 {
        ("compaction_delta", "content")
    } else {
        ("text_delta", "text")
    };
    let group = channel.group;
    out.extend_from_slice(
        format!("event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{group},\"delta\":{{\"type\":\"{kind}\",\"{name}\":")
            .as_bytes(),
    );
    quote(out, text);
    out.extend_from_slice(b"}}\n\n");
}
