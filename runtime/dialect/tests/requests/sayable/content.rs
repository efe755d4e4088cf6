//! What is said, as the other dialect has a place for it.

use base64::Engine;

use super::super::meaning::{Body, Entry, Meaning, Part, Who};
use super::{CHAT, MESSAGES, RESPONSES, Way, told};

/// What the model is told then.
const GO_ON: &str = "Go on exactly where your last message ends, as if it were the beginning of this answer. Repeat nothing of it.";

impl Way {
    /// Most vendors of Chat do not know the word `original`.
    pub(super) fn detail_in_chat(self, meaning: &mut Meaning) {
        for part in parts(&mut meaning.said) {
            if let Body::Image { detail, .. } = &mut part.body
                && *detail == "original"
            {
                told(RESPONSES, CHAT, "content[].input_image.image_url");
                *detail = "high".into();
            }
        }
    }

    pub(super) fn media_in_messages(self, meaning: &mut Meaning) {
        for part in parts(&mut meaning.said) {
            match &mut part.body {
                Body::Image { detail, .. } => *detail = "auto".into(),
                Body::File { source, name } => {
                    if source.starts_with("data:image/") {
                        part.body = Body::Image {
                            url: source.clone(),
                            detail: "auto".into(),
                        };
                    } else if let Some((_, data)) = source.split_once(";base64,")
                        && !source.starts_with("data:application/pdf")
                    {
                        told(MESSAGES, self.from, "content[].document (text, content)");
                        let engine = base64::engine::general_purpose::STANDARD;
                        let text = String::from_utf8(engine.decode(data).unwrap()).unwrap();
                        part.body = Body::Text(match name.as_str() {
                            "document.pdf" => text,
                            name => format!("{name}\n\n{text}"),
                        });
                    }
                }
                Body::Text(_) | Body::Refusal(_) => {}
            }
            if let Body::Refusal(text) = &part.body {
                part.body = Body::Text(text.clone());
            }
        }
    }

    pub(super) fn errors_as_text(self, meaning: &mut Meaning) {
        for entry in &mut meaning.said {
            if let Entry::Result { error, parts, .. } = entry
                && std::mem::take(error)
            {
                told(self.from, self.over, "content[].tool_result.is_error");
                match parts.iter_mut().find_map(|part| match &mut part.body {
                    Body::Text(text) => Some(text),
                    _ => None,
                }) {
                    Some(text) => text.insert_str(0, "Error: "),
                    None => parts.insert(0, Part::text("Error:")),
                }
            }
        }
    }

    pub(super) fn media_after_results(self, meaning: &mut Meaning) {
        let field = match self.from {
            MESSAGES => "content[].tool_result",
            _ => "input[].function_call_output",
        };
        let mut out = Vec::new();
        let mut ids = Vec::new();
        let mut after = Vec::new();
        for mut entry in std::mem::take(&mut meaning.said) {
            if let Entry::Call { id, .. } = &entry {
                ids.push(id.clone());
            }
            if let Entry::Result { call, parts, .. } = &mut entry {
                let (media, texts): (Vec<_>, Vec<_>) = parts.drain(..).partition(Part::is_media);
                *parts = texts;
                if !media.is_empty() {
                    told(self.from, self.over, field);
                    if parts.is_empty() {
                        parts.push(Part::text("The result is in the next message of the user."));
                    }
                    let id = ids[*call].clone().unwrap_or_default();
                    let heading = format!("From the result of the tool call {id}:");
                    after.push(Part::text(heading));
                    after.extend(media);
                }
            } else {
                out.extend(after.drain(..).map(|part| Entry::Said(Who::User, part)));
            }
            out.push(entry);
        }
        out.extend(after.drain(..).map(|part| Entry::Said(Who::User, part)));
        meaning.said = out;
    }

    pub(super) fn marks(self, meaning: &mut Meaning) {
        let long = meaning
            .settings
            .get("cache kept")
            .is_some_and(|kept| kept == "24h");
        let key = long || meaning.settings.contains_key("cache key");
        let marked = parts(&mut meaning.said).any(|part| part.mark.is_some());
        if key && !marked && self.over == MESSAGES {
            told(self.from, self.over, "prompt_cache_key");
            let system = meaning
                .said
                .iter_mut()
                .take_while(|entry| matches!(entry, Entry::Said(Who::System, _)))
                .last();
            if let Some(Entry::Said(_, part)) = system {
                part.mark = Some(long);
            }
            if let Some(part) = parts(&mut meaning.said).last() {
                part.mark = Some(long);
            }
        }
        for entry in &mut meaning.said {
            if let Entry::Said(Who::Assistant, part) = entry {
                part.mark = None;
            }
        }
    }

    pub(super) fn without_blanks(self, meaning: &mut Meaning) {
        meaning
            .said
            .retain(|entry| !matches!(entry, Entry::Said(_, part) if part.is_blank()));
        for entry in &mut meaning.said {
            if let Entry::Result { parts, .. } = entry {
                parts.retain(|part| !part.is_blank());
            }
        }
    }

    pub(super) fn begins_with_the_user(self, meaning: &mut Meaning) {
        let begin = meaning
            .said
            .iter()
            .position(|entry| !matches!(entry, Entry::Said(Who::System, _)))
            .unwrap_or(meaning.said.len());
        if !matches!(meaning.said.get(begin), Some(Entry::Said(Who::User, _))) {
            meaning
                .said
                .insert(begin, Entry::Said(Who::User, Part::text("…")));
        }
    }

    pub(super) fn ends_in_no_white_space(self, meaning: &mut Meaning) {
        if let Some(Entry::Said(
            Who::Assistant,
            Part {
                body: Body::Text(text),
                ..
            },
        )) = meaning.said.last_mut()
        {
            text.truncate(text.trim_end().len());
        }
    }

    /// What the assistant says last is the beginning of its answer in Messages, and elsewhere it is told to go on.
    pub(super) fn goes_on(self, meaning: &mut Meaning) {
        if !matches!(meaning.said.last(), Some(Entry::Said(Who::Assistant, _))) {
            return;
        }
        let elsewhere = if self.from == MESSAGES {
            self.over
        } else {
            self.from
        };
        told(
            MESSAGES,
            elsewhere,
            "messages[], the assistant's as the last",
        );
        meaning.said.push(Entry::Said(Who::User, Part::text(GO_ON)));
    }
}

/// Chat has one place for what the assistant says and one for what it calls.
pub(super) fn texts_before_calls(entries: Vec<Entry>) -> Vec<Entry> {
    let mut out = Vec::new();
    let mut calls = Vec::new();
    for entry in entries {
        match entry {
            Entry::Call { .. } => calls.push(entry),
            Entry::Said(Who::Assistant, _) => out.push(entry),
            _ => {
                out.append(&mut calls);
                out.push(entry);
            }
        }
    }
    out.append(&mut calls);
    out
}

fn parts(said: &mut [Entry]) -> impl Iterator<Item = &mut Part> {
    said.iter_mut().flat_map(|entry| match entry {
        Entry::Said(_, part) => std::slice::from_mut(part).iter_mut(),
        Entry::Result { parts, .. } => parts.iter_mut(),
        Entry::Call { .. } | Entry::Ran(_) => [].iter_mut(),
    })
}

/// Neighbouring texts of the assistant, and of instructions, as one.
pub(super) fn joined(said: &mut Vec<Entry>) {
    let mut out: Vec<Entry> = Vec::new();
    for entry in std::mem::take(said) {
        if let (
            Some(Entry::Said(
                who,
                Part {
                    body: Body::Text(before),
                    mark,
                },
            )),
            Entry::Said(
                next,
                Part {
                    body: Body::Text(text),
                    mark: after,
                },
            ),
        ) = (out.last_mut(), &entry)
            && who == next
            && *who != Who::User
        {
            // Instructions are joined by an empty line, what the assistant says goes on.
            if *who == Who::System {
                before.push_str("\n\n");
            }
            before.push_str(text);
            *mark = after.or(*mark);
            continue;
        }
        out.push(entry);
    }
    // An empty text beside calls is no message in Chat.
    let empty = Entry::Said(Who::Assistant, Part::text(""));
    let calls = |entry: Option<&Entry>| matches!(entry, Some(Entry::Call { .. }));
    *said = (0..out.len())
        .filter(|at| out[*at] != empty || !calls(out.get(at + 1)))
        .map(|at| out[at].clone())
        .collect();
}
