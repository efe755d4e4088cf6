//! Streamed pieces of the Responses dialect, and the events that repeat what was streamed.

use super::{AnswerRewriter, Channel, Denied, Kind, TextFilter, Turn};
use crate::json::splice::splice;
use crate::json::text::quote;
use crate::json::walk::{Raw, Shape};
use crate::segments::find::{Field, Finder, Found};
use crate::segments::{Role, exchange, over, sort};
use crate::stream::event_type;

/// How far along the text is that an event repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It begins: what is there already is the first piece.
    Begin,
    /// It is over.
    End,
}

impl AnswerRewriter {
    pub(super) fn responses(
        &mut self,
        event: Raw<'_>,
        filter: &mut dyn TextFilter,
        turn: &mut Turn,
    ) -> Result<(), Denied> {
        let kind = event_type(event).unwrap_or_default();
        let number = |name: &str| {
            event
                .get(name)
                .and_then(Raw::count)
                .map(|count| u32::try_from(count).unwrap_or(u32::MAX))
        };
        let group = number("output_index").unwrap_or(0);
        let part = number("content_index")
            .or(number("summary_index"))
            .unwrap_or(0);
        let sequence = event.get("sequence_number").and_then(Raw::count);
        let stem = kind.strip_prefix(b"response.").unwrap_or(kind);
        let mut finder = Finder::new(Role::Assistant);
        let mut phase = Phase::End;
        let mut part_override = None;
        match stem {
            b"audio.delta" | b"audio.done" => {}
            b"output_item.added" | b"output_item.done" => {
                if stem.ends_with(b"added") {
                    phase = Phase::Begin;
                }
                finder.group(group as usize);
                if let Some(item) = event.get("item") {
                    finder
                        .item("item", item)
                        .map_err(|invalid| Denied::unreadable(&invalid.message))?;
                }
            }
            b"content_part.added"
            | b"content_part.done"
            | b"reasoning_summary_part.added"
            | b"reasoning_summary_part.done" => {
                if stem.ends_with(b"added") {
                    phase = Phase::Begin;
                }
                finder.group(group as usize);
                part_override = Some(part);
                if let Some(block) = event.get("part") {
                    finder
                        .block("part", block)
                        .map_err(|invalid| Denied::unreadable(&invalid.message))?;
                }
            }
            _ if stem.ends_with(b".delta") => {
                if let Some(delta) = event
                    .get("delta")
                    .filter(|delta| delta.shape() == Shape::String)
                {
                    let (field, kind) = field_of(&stem[..stem.len() - 6]);
                    let channel = Channel {
                        group,
                        part,
                        field: field as u32,
                    };
                    self.delta(channel, kind, event, delta, filter, turn)?;
                }
            }
            _ if stem.ends_with(b".done") => {
                let (field, kind) = field_of(&stem[..stem.len() - 5]);
                for (_, value) in event
                    .members()
                    .filter(|(key, _)| TEXT_MEMBERS.contains(&key.0))
                {
                    let found = Found {
                        role: Role::Assistant,
                        kind,
                        value,
                        group,
                        part,
                        field,
                        probabilities: event.get("logprobs"),
                    };
                    self.repeated(&found, Phase::End, sequence, filter, turn)?;
                }
            }
            b"completed" | b"incomplete" | b"failed" | b"created" | b"in_progress" | b"queued" => {
                if matches!(stem, b"completed" | b"incomplete" | b"failed") {
                    for channel in self.channels.open(|_| true) {
                        self.end(channel, sequence, filter, turn)?;
                    }
                }
                if let Some(output) = event.at_pointer("/response/output") {
                    finder
                        .items("output", output)
                        .map_err(|invalid| Denied::unreadable(&invalid.message))?;
                }
                if let Some(text) = event.at_pointer("/response/output_text") {
                    finder.text(Field::Other, text);
                }
            }
            _ => {}
        }
        for mut found in finder.found {
            found.part = part_override.unwrap_or(found.part);
            self.repeated(&found, phase, sequence, filter, turn)?;
        }
        if self.inserted > 0
            && let (Some(old), Some(value)) = (sequence, event.get("sequence_number"))
        {
            turn.splices.push(over(
                value,
                old.saturating_add(self.inserted).to_string().into_bytes(),
            ));
        }
        Ok(())
    }

    fn delta(
        &mut self,
        channel: Channel,
        kind: Kind,
        event: Raw<'_>,
        delta: Raw<'_>,
        filter: &mut dyn TextFilter,
        turn: &mut Turn,
    ) -> Result<(), Denied> {
        let text = delta.text().unwrap_or_default();
        if text.is_empty() {
            return Ok(());
        }
        let passed =
            self.channels
                .push_remembered(channel, kind, &text, Some(event.bytes), filter)?;
        if passed != text {
            let found = Found {
                role: Role::Assistant,
                kind,
                value: delta,
                group: channel.group,
                part: channel.part,
                field: Field::Text,
                probabilities: event.get("logprobs"),
            };
            exchange(&mut turn.splices, &found, &passed);
        }
        Ok(())
    }

    /// Text that repeats what was streamed, or comes for the first time.
    fn repeated(
        &mut self,
        found: &Found<'_>,
        phase: Phase,
        sequence: Option<u64>,
        filter: &mut dyn TextFilter,
        turn: &mut Turn,
    ) -> Result<(), Denied> {
        let Some(text) = found.value.text().filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        let channel = Channel {
            group: found.group,
            part: found.part,
            field: found.field as u32,
        };
        let passed = match phase {
            _ if found.field == Field::Other => {
                self.channels
                    .whole(found.group, found.kind, &text, filter)?
            }
            Phase::Begin if !self.channels.is_known(channel) => self
                .channels
                .push_remembered(channel, found.kind, &text, None, filter)?,
            phase => {
                if phase == Phase::End {
                    self.end(channel, sequence, filter, turn)?;
                }
                match self.channels.delivered(channel, &text) {
                    Some(delivered) => delivered.to_owned(),
                    // It says something else than was streamed, or nothing was.
                    None => self
                        .channels
                        .whole(found.group, found.kind, &text, filter)?,
                }
            }
        };
        if passed != text {
            exchange(&mut turn.splices, found, &passed);
        }
        Ok(())
    }

    /// Appends a delta that carries what a channel held back, before the event with this sequence number.
    pub(super) fn put_in_responses(
        &mut self,
        channel: Channel,
        text: &str,
        sequence: Option<u64>,
        out: &mut Vec<u8>,
    ) {
        let model = self.channels.model(channel);
        let event = Raw::new(model);
        let (Some(delta), Some(kind)) = (event.get("delta"), event_type(event)) else {
            // Only its beginning was seen, in an event that is no delta: the events that repeat the text carry it.
            return;
        };
        let mut with = Vec::new();
        quote(&mut with, text);
        let mut splices = vec![over(delta, with)];
        if let (Some(value), Some(sequence)) = (event.get("sequence_number"), sequence) {
            splices.push(over(
                value,
                sequence
                    .saturating_add(self.inserted)
                    .to_string()
                    .into_bytes(),
            ));
        }
        if let Some(value) = event
            .get("logprobs")
            .filter(|value| value.shape() == Shape::Array)
        {
            splices.push(over(value, b"[]".to_vec()));
        }
        sort(&mut splices);
        out.extend_from_slice(&[b"event: ", kind, b"\ndata: "].concat());
        out.extend_from_slice(&splice(model, &splices));
        out.extend_from_slice(b"\n\n");
        self.inserted += 1;
    }
}

/// Names under which events that end a channel repeat its text.
const TEXT_MEMBERS: [&[u8]; 7] = [
    b"text",
    b"refusal",
    b"arguments",
    b"input",
    b"code",
    b"command",
    b"transcript",
];

/// The field that events of this stem stream, and what it is.
fn field_of(stem: &[u8]) -> (Field, Kind) {
    match stem {
        b"output_text" => (Field::Text, Kind::Text),
        b"refusal" => (Field::Refusal, Kind::Text),
        b"reasoning_text" | b"reasoning" => (Field::Reasoning, Kind::Reasoning),
        b"reasoning_summary_text" | b"reasoning_summary" => (Field::Summary, Kind::Reasoning),
        b"function_call_arguments" | b"mcp_call_arguments" | b"mcp_call.arguments" => {
            (Field::Arguments, Kind::ToolArguments)
        }
        b"custom_tool_call_input" => (Field::Input, Kind::ToolArguments),
        b"code_interpreter_call_code" | b"code_interpreter_call.code" => {
            (Field::Code, Kind::ToolArguments)
        }
        b"audio.transcript" | b"audio_transcript" => (Field::Transcript, Kind::Text),
        // Of what is not known, tool calls are the likelier.
        _ if stem.ends_with(b"_output_content") => (Field::Command, Kind::ToolResult),
        _ => (Field::Command, Kind::ToolArguments),
    }
}
