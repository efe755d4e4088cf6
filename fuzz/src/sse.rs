//! SSE framing against a reader that is slow and plain: the same events in any chunking, nothing lost, nothing held
//! but the unfinished event.

use crate::framing::{self, Splitter};
use crate::input::Input;
use crate::stream::{Event, owned};

/// See the module.
pub fn check(data: &[u8]) {
    let Some(input) = Input::of(data) else { return };
    let stream = input.payload;
    // Which events may begin with a byte order mark is nobody's concern: only the first one ever does.
    if stream.windows(3).skip(1).any(|mark| mark == framing::BOM) {
        return;
    }
    let mut splitter = Splitter::default();
    let (mut found, mut passed, mut pushed) = (Vec::new(), Vec::new(), 0);
    for piece in input.pieces() {
        let taken = splitter.push(piece, |event| {
            passed.extend_from_slice(event);
            if let Some(read) = framing::read(event) {
                if let Some(place) = &read.place {
                    assert_eq!(&event[place.clone()], &*read.data, "the place of the data");
                }
                found.push(owned(read));
            }
            Ok::<_, ()>(())
        });
        assert_eq!(taken, Ok(()));
        pushed += piece.len();
        assert_eq!(passed.len() + splitter.held(), pushed, "bytes held");
    }
    let rest = splitter.rest();
    let (expected, unfinished) = plainly(stream);
    assert_eq!(found, expected);
    assert_eq!(framing::read(&rest).map(owned), unfinished);
    passed.extend_from_slice(&rest);
    assert_eq!(passed, stream, "every byte passes");
}

/// The events of a stream and the data of the unfinished one, as the standard has it, but for one liberty: an event of
/// empty data is one.
fn plainly(stream: &[u8]) -> (Vec<Event>, Option<Event>) {
    let mut lines = vec![Vec::new()];
    for (at, byte) in stream.iter().enumerate() {
        match byte {
            b'\n' if at > 0 && stream[at - 1] == b'\r' => {}
            b'\n' | b'\r' => lines.push(Vec::new()),
            _ => lines[..].last_mut().expect("there is one").push(*byte),
        }
    }
    let last = lines.pop().expect("there is one");
    let mut events = Vec::new();
    let mut open = Open::default();
    for line in lines {
        if line.is_empty() {
            events.extend(std::mem::take(&mut open).event());
        } else {
            open.line(&line);
        }
    }
    if !last.is_empty() {
        open.line(&last);
    }
    (events, open.event())
}

#[derive(Default)]
struct Open {
    begun: bool,
    name: Option<Vec<u8>>,
    data: Option<Vec<u8>>,
}

impl Open {
    fn line(&mut self, line: &[u8]) {
        let line = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(line) if !self.begun => line,
            _ => line,
        };
        self.begun = true;
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let field = parts.next().unwrap_or_default();
        let value = parts.next().unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match (field, &mut self.data) {
            (b"event", _) => self.name = Some(value.to_vec()),
            (b"data", Some(data)) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            (b"data", none) => *none = Some(value.to_vec()),
            _ => {}
        }
    }

    fn event(self) -> Option<Event> {
        self.data.map(|data| (self.name, data))
    }
}
