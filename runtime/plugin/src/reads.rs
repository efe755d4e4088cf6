//! Which getters of its call a guest read, in order: what a remembered plan depends on.

use crate::CallView;
use crate::visible::shown;

/// Reads of one call; a guest that reads more is not remembered.
const MAX_READS: usize = 64;

/// A getter of `call`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Getter {
    Operation,
    Dialect,
    Model,
    Streaming,
    Endpoint,
    Header(Box<str>),
    Session,
    Attempt,
}

impl Getter {
    /// What the getter gives for this call.
    pub(crate) fn read<'a>(&self, call: &'a dyn CallView) -> Seen<'a> {
        match self {
            Getter::Operation => Seen::Text(Some(call.operation())),
            Getter::Dialect => Seen::Text(Some(call.dialect())),
            Getter::Model => Seen::Text(Some(call.model())),
            Getter::Streaming => Seen::Number(u32::from(call.streaming())),
            Getter::Endpoint => Seen::Text(Some(call.endpoint())),
            Getter::Header(name) => Seen::Text(shown(name, call.header(name))),
            Getter::Session => Seen::Text(call.session()),
            Getter::Attempt => Seen::Number(call.attempt()),
        }
    }
}

/// A value that a getter gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen<'a> {
    Text(Option<&'a str>),
    Number(u32),
}

/// Notes what a guest reads during one call.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    on: bool,
    spoilt: bool,
    reads: Vec<Getter>,
}

impl Recorder {
    /// Starts to note, with nothing noted.
    pub(crate) fn start(&mut self) {
        self.on = true;
        self.spoilt = false;
        self.reads.clear();
    }

    /// Notes a getter that was just read. Values are immutable during a call, so a second reading says nothing new.
    pub(crate) fn note(&mut self, getter: Getter) {
        if !self.on || self.reads.contains(&getter) {
            return;
        }
        if self.reads.len() >= MAX_READS {
            self.spoilt = true;
            return;
        }
        self.reads.push(getter);
    }

    /// Whether notes are taken; lets a caller avoid making a getter's name.
    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    /// What was read, in order; `None` if it was not noted or too much.
    pub(crate) fn stop(&mut self) -> Option<Vec<Getter>> {
        let usable = self.on && !self.spoilt;
        self.on = false;
        let reads = std::mem::take(&mut self.reads);
        usable.then_some(reads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_getter_is_noted_once_and_too_many_are_not_usable() {
        let mut recorder = Recorder::default();
        recorder.note(Getter::Model);
        assert_eq!(recorder.stop(), None, "it was not on");
        recorder.start();
        for getter in [Getter::Model, Getter::Streaming, Getter::Model] {
            recorder.note(getter);
        }
        assert_eq!(
            recorder.stop(),
            Some(vec![Getter::Model, Getter::Streaming])
        );
        recorder.start();
        for number in 0..=MAX_READS {
            recorder.note(Getter::Header(number.to_string().into()));
        }
        assert_eq!(recorder.stop(), None);
    }
}
