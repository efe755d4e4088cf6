//! Event streams as bytes: where events end and what they carry, in any chunking.

use std::borrow::Cow;
use std::ops::Range;

/// Finds the ends of events. An event ends behind its blank line; where lines end in CR LF, the last LF counts to the
/// event after it, so that no decision ever waits for a byte that may not come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Boundaries {
    line_open: bool,
    after_cr: bool,
}

impl Boundaries {
    /// The positions in `chunk` at which an event has ended, looked for one after the other as they are asked for.
    pub(crate) fn ends<'a>(&'a mut self, chunk: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let mut line = 0;
        let mut breaks = memchr::memchr2_iter(b'\n', b'\r', chunk);
        std::iter::from_fn(move || {
            for at in breaks.by_ref() {
                let pair = chunk[at] == b'\n'
                    && if at == 0 {
                        self.after_cr
                    } else {
                        chunk[at - 1] == b'\r'
                    };
                let ended = !pair && line == at && !self.line_open;
                self.line_open &= pair;
                line = at + 1;
                if ended {
                    return Some(line);
                }
            }
            if let Some(last) = chunk.last() {
                self.line_open |= line < chunk.len();
                self.after_cr = *last == b'\r';
            }
            None
        })
    }
}

/// What an event carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// The `event:` field.
    pub(crate) name: Option<&'a [u8]>,
    /// The `data:` fields, joined by LF.
    pub(crate) data: Cow<'a, [u8]>,
    /// Where the one line of data is in the event's bytes; `None` where it has several.
    pub(crate) place: Option<Range<usize>>,
}

/// An event's data, and where it stands in the event if it is one piece of it.
type Data<'a> = (Cow<'a, [u8]>, Option<Range<usize>>);

/// Reads an event. `None` where it has no data: comments, blank lines.
pub(crate) fn read(event: &[u8]) -> Option<Event<'_>> {
    let mut name = None;
    let mut data: Option<Data<'_>> = None;
    let mut start = if event.starts_with(BOM) { BOM.len() } else { 0 };
    while start < event.len() {
        let end = memchr::memchr2(b'\n', b'\r', &event[start..])
            .map_or(event.len(), |length| start + length);
        let line = &event[start..end];
        if let Some(value) = field(line, b"data") {
            data = Some(match data {
                None => (Cow::Borrowed(value), Some(end - value.len()..end)),
                Some((before, _)) => (Cow::Owned([&*before, b"\n", value].concat()), None),
            });
        } else if let Some(value) = field(line, b"event") {
            name = Some(value);
        }
        start = end + 1;
    }
    data.map(|(data, place)| Event { name, data, place })
}

pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// The value of a line with this field name, one leading space taken off.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    let value = match rest {
        [] => rest,
        [b':', b' ', value @ ..] | [b':', value @ ..] => value,
        _ => return None,
    };
    Some(value)
}

/// Cuts a stream into whole events, holding back the unfinished one.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    boundaries: Boundaries,
    held: Vec<u8>,
}

impl Splitter {
    /// Takes a chunk; calls `event` with each whole event's bytes.
    pub(crate) fn push<E>(
        &mut self,
        chunk: &[u8],
        mut event: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut start = 0;
        for end in self.boundaries.ends(chunk) {
            if self.held.is_empty() {
                event(&chunk[start..end])?;
            } else {
                self.held.extend_from_slice(&chunk[start..end]);
                let whole = std::mem::take(&mut self.held);
                event(&whole)?;
            }
            start = end;
        }
        self.held.extend_from_slice(&chunk[start..]);
        Ok(())
    }

    /// Bytes of the unfinished event.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes the unfinished event.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_whatever_the_line_ends_are() {
        for end in ["\n", "\r\n", "\r"] {
            let event =
                format!(": note{end}event: a{end}data:{{}}{end}data:  x{end}id: 1{end}{end}");
            let read = read(event.as_bytes()).unwrap();
            assert_eq!(read.name, Some(&b"a"[..]));
            assert_eq!(&*read.data, b"{}\n x");
            assert_eq!(read.place, None);
        }
        let first = read(b"\xef\xbb\xbfdata: [DONE]\n\n").unwrap();
        assert_eq!((&*first.data, first.place), (&b"[DONE]"[..], Some(9..15)));
        assert_eq!(read(b": ping\n\n"), None);
        assert_eq!(read(b"database: 1\n\n"), None);
        assert_eq!(read(b"data\n\n").unwrap().data.len(), 0);
    }

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut() {
        let stream =
            b"\n\ndata: 1\n\ndata: 2\r\n\r\ndata: 3\r\r: c\r\n\r\n\r\n\ndata: 4\n\r\ndata: 5\n";
        let split = |sizes: &dyn Fn(usize) -> usize| {
            let mut splitter = Splitter::default();
            let mut events = Vec::new();
            let mut at = 0;
            while at < stream.len() {
                let next = (at + sizes(at)).min(stream.len());
                let taken = splitter.push(&stream[at..next], |event| {
                    events.push(event.to_vec());
                    Ok::<_, ()>(())
                });
                taken.unwrap();
                at = next;
            }
            events.push(splitter.rest());
            assert_eq!(events.concat(), stream);
            events
        };
        let whole = split(&|_| stream.len());
        let data: Vec<_> = whole
            .iter()
            .filter_map(|event| read(event))
            .map(|event| event.data.into_owned())
            .collect();
        assert_eq!(data, [b"1", b"2", b"3", b"4", b"5"]);
        for cut in 1..stream.len() {
            assert_eq!(
                split(&|at| if at == 0 { cut } else { stream.len() }),
                whole,
                "cut at {cut}"
            );
        }
        assert_eq!(split(&|_| 1), whole);
    }
}
