//! What went into each channel of an answer and what came out of it.

use std::collections::HashMap;

use super::{Channel, Denied, Kind, TextFilter};
use crate::segments::find::Field;

#[derive(Debug, Default)]
pub(super) struct Channels {
    /// In the order in which they began.
    states: Vec<(Channel, State)>,
    /// Text that came whole, and what became of it.
    whole: HashMap<(Kind, String), String>,
}

#[derive(Debug, Default)]
struct State {
    /// Text went in that may still be held back.
    open: bool,
    /// Kept where later events repeat the text (Responses).
    received: String,
    delivered: String,
    /// The first delta's data, the model of those put in (Responses).
    model: Vec<u8>,
}

impl Channels {
    fn state(&mut self, channel: Channel) -> &mut State {
        let position = self
            .states
            .iter()
            .position(|(known, _)| *known == channel)
            .unwrap_or_else(|| {
                self.states.push((channel, State::default()));
                self.states.len() - 1
            });
        &mut self.states[position].1
    }

    /// The channels that may hold something back, in the order in which they began.
    pub(super) fn open(&self, wanted: impl Fn(Channel) -> bool) -> Vec<Channel> {
        let open = self
            .states
            .iter()
            .filter(|(channel, state)| state.open && wanted(*channel));
        open.map(|(channel, _)| *channel).collect()
    }

    /// Text for a channel; returns what may go out now.
    pub(super) fn push(
        &mut self,
        channel: Channel,
        kind: Kind,
        text: &str,
        filter: &mut dyn TextFilter,
    ) -> Result<String, Denied> {
        let state = self.state(channel);
        state.open = true;
        filter.push(channel, kind, text)
    }

    /// The same, remembering the text for the events that repeat it. `model` is the delta's data.
    pub(super) fn push_remembered(
        &mut self,
        channel: Channel,
        kind: Kind,
        text: &str,
        model: Option<&[u8]>,
        filter: &mut dyn TextFilter,
    ) -> Result<String, Denied> {
        let passed = self.push(channel, kind, text, filter)?;
        let state = self.state(channel);
        state.received.push_str(text);
        state.delivered.push_str(&passed);
        if let Some(model) = model.filter(|_| state.model.is_empty()) {
            state.model.extend_from_slice(model);
        }
        Ok(passed)
    }

    /// Ends a channel; returns what it held back, if anything.
    pub(super) fn finish(
        &mut self,
        channel: Channel,
        filter: &mut dyn TextFilter,
    ) -> Result<Option<String>, Denied> {
        let state = self.state(channel);
        if !std::mem::take(&mut state.open) {
            return Ok(None);
        }
        let held = filter.finish(channel)?;
        if !state.received.is_empty() {
            state.delivered.push_str(&held);
        }
        Ok(Some(held).filter(|held| !held.is_empty()))
    }

    /// What became of this channel's text, if `text` is what went in.
    pub(super) fn delivered(&self, channel: Channel, text: &str) -> Option<&str> {
        let (_, state) = self.states.iter().find(|(known, _)| *known == channel)?;
        (state.received == text).then_some(&*state.delivered)
    }

    /// Whether text went into this channel.
    pub(super) fn is_known(&self, channel: Channel) -> bool {
        self.states
            .iter()
            .any(|(known, state)| *known == channel && !state.received.is_empty())
    }

    pub(super) fn model(&self, channel: Channel) -> &[u8] {
        self.states
            .iter()
            .find(|(known, _)| *known == channel)
            .map_or(&[], |(_, state)| &state.model)
    }

    /// Text that came whole: judged once, however often it comes.
    pub(super) fn whole(
        &mut self,
        group: u32,
        kind: Kind,
        text: &str,
        filter: &mut dyn TextFilter,
    ) -> Result<String, Denied> {
        let key = (kind, text.to_owned());
        if let Some(judged) = self.whole.get(&key) {
            return Ok(judged.clone());
        }
        // Each gets a channel of its own, so that nothing runs together with another text.
        let part = u32::try_from(self.whole.len()).unwrap_or(u32::MAX);
        let channel = Channel {
            group,
            part,
            field: Field::Other as u32,
        };
        let mut passed = filter.push(channel, kind, text)?;
        passed.push_str(&filter.finish(channel)?);
        self.whole.insert(key, passed.clone());
        Ok(passed)
    }
}
