//! One pass over a body: is it JSON, and where are its top-level members?

use super::MAX_DEPTH;

/// A range of bytes. Bodies are smaller than 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }
}

/// A top-level member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    /// The name between its quotes, still escaped.
    pub(crate) key: Span,
    /// The value, without surrounding whitespace.
    pub(crate) value: Span,
    /// Whether the name contains no escape.
    pub(crate) plain: bool,
}

/// What one pass found.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) members: Vec<Member>,
    /// Bytes of encoded images and files beyond what they count as text. All else counts as it stands: an escape has six
    /// bytes where the character has three at most (and twelve where it has four), so escaped text is never counted at less.
    pub(crate) encoded_bytes: usize,
}

/// What is wrong, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

const fn fault<T>(at: usize, what: &'static str) -> Result<T, Fault> {
    Err(Fault { at, what })
}

/// Checks that `bytes` (already known to be UTF-8) are one JSON object and finds its members.
pub(crate) fn object(bytes: &[u8]) -> Result<Scan, Fault> {
    if bytes.len() > u32::MAX as usize {
        return fault(u32::MAX as usize, "the body is larger than 4 GiB");
    }
    let start = whitespace(bytes, 0);
    match bytes.get(start) {
        Some(b'{') => {}
        None => return fault(start, "the body is empty"),
        Some(_) => {
            // Say "not JSON" where it is not, and "not an object" where it is JSON of another kind.
            let end = Scanner::new(bytes).value(start)?;
            return match whitespace(bytes, end) {
                end if end < bytes.len() => fault(end, "there is something after the JSON value"),
                _ => fault(start, "the body must be a JSON object"),
            };
        }
    }
    let mut scanner = Scanner::new(bytes);
    scanner.members = Vec::with_capacity(16);
    let end = whitespace(bytes, scanner.value(start)?);
    if end < bytes.len() {
        return fault(end, "there is something after the JSON value");
    }
    Ok(Scan {
        members: scanner.members,
        encoded_bytes: scanner.encoded_bytes,
    })
}

/// Checks that `bytes` are one JSON value of any kind, nested no deeper than allowed.
pub(crate) fn is_value(bytes: &[u8]) -> bool {
    let Ok(end) = Scanner::new(bytes).value(whitespace(bytes, 0)) else {
        return false;
    };
    whitespace(bytes, end) == bytes.len() && std::str::from_utf8(bytes).is_ok()
}

struct Scanner<'a> {
    bytes: &'a [u8],
    /// Bit n says whether the container at depth n + 1 is an object.
    objects: u128,
    depth: u32,
    members: Vec<Member>,
    encoded_bytes: usize,
    /// The last member's name, and where its value begins.
    key: &'a [u8],
    value_at: usize,
    /// Depth of the outermost container around here in which every word is text; 0 where there is none.
    free: u32,
    /// As in `objects`: whether the object said that it is an encoded file, and that it is anything else (a plain text may be
    /// in `data`, too). It may say so before the file or after it, or say both.
    files: u128,
    others: u128,
    /// Depth of an object with what looks like a file, and by how much less it counts, should the object be one.
    waiting: Option<(u32, usize)>,
}

impl<'a> Scanner<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            objects: 0,
            depth: 0,
            members: Vec::new(),
            encoded_bytes: 0,
            key: b"",
            value_at: usize::MAX,
            free: 0,
            files: 0,
            others: 0,
            waiting: None,
        }
    }

    /// Passes one value; returns the position after it.
    fn value(&mut self, mut at: usize) -> Result<usize, Fault> {
        let bytes = self.bytes;
        'value: loop {
            match bytes.get(at) {
                Some(b'"') => at = self.text(at)?,
                Some(b'{') => {
                    self.enter(at, true)?;
                    at = whitespace(bytes, at + 1);
                    if bytes.get(at) == Some(&b'}') {
                        self.leave();
                        at += 1;
                    } else {
                        at = self.key(at)?;
                        continue 'value;
                    }
                }
                Some(b'[') => {
                    self.enter(at, false)?;
                    at = whitespace(bytes, at + 1);
                    if bytes.get(at) == Some(&b']') {
                        self.leave();
                        at += 1;
                    } else {
                        continue 'value;
                    }
                }
                Some(b't') => at = literal(bytes, at, b"true")?,
                Some(b'f') => at = literal(bytes, at, b"false")?,
                Some(b'n') => at = literal(bytes, at, b"null")?,
                Some(b'-' | b'0'..=b'9') => at = number(bytes, at)?,
                Some(_) => return fault(at, "a value was expected"),
                None => return fault(at, "the body ends where a value was expected"),
            }
            loop {
                if self.depth == 0 {
                    return Ok(at);
                }
                let object = self.objects >> (self.depth - 1) & 1 == 1;
                if self.depth == 1
                    && let Some(member) = self.members.last_mut()
                {
                    member.value.end = at as u32;
                }
                at = whitespace(bytes, at);
                match bytes.get(at) {
                    Some(b',') => {
                        at = whitespace(bytes, at + 1);
                        if object {
                            at = self.key(at)?;
                        }
                        continue 'value;
                    }
                    Some(b'}') if object => {}
                    Some(b']') if !object => {}
                    Some(_) if object => return fault(at, "`,` or `}` was expected"),
                    Some(_) => return fault(at, "`,` or `]` was expected"),
                    None => return fault(at, "the body ends inside an object or array"),
                }
                self.leave();
                at += 1;
            }
        }
    }

    fn enter(&mut self, at: usize, object: bool) -> Result<(), Fault> {
        if self.depth == MAX_DEPTH {
            return fault(at, "objects and arrays are nested deeper than 128");
        }
        let bit = 1u128 << self.depth;
        if object {
            self.objects |= bit;
        } else {
            self.objects &= !bit;
        }
        self.files &= !bit;
        self.others &= !bit;
        let name = self.name_of(at);
        let free = match self.depth {
            0 => false,
            1 => !CONTENT.contains(&name),
            _ => FREE.contains(&name),
        };
        self.depth += 1;
        if free && self.free == 0 {
            self.free = self.depth;
        }
        Ok(())
    }

    fn leave(&mut self) {
        if let Some((depth, beyond)) = self.waiting
            && depth == self.depth
        {
            self.waiting = None;
            if self.files & !self.others & self.bit() != 0 {
                self.encoded_bytes += beyond;
            }
        }
        if self.free == self.depth {
            self.free = 0;
        }
        self.depth -= 1;
    }

    /// Passes a member's name and colon; returns the position of its value.
    fn key(&mut self, at: usize) -> Result<usize, Fault> {
        let bytes = self.bytes;
        match bytes.get(at) {
            Some(b'"') => {}
            Some(_) => return fault(at, "a member name in double quotes was expected"),
            None => return fault(at, "the body ends where a member name was expected"),
        }
        let (end, plain) = string(bytes, at + 1)?;
        let colon = whitespace(bytes, end + 1);
        if bytes.get(colon) != Some(&b':') {
            return fault(colon, "`:` was expected");
        }
        let value = whitespace(bytes, colon + 1);
        self.key = &bytes[at + 1..end];
        self.value_at = value;
        if !plain {
            // It may be `type`, spelled so that it is not seen here.
            self.others |= self.bit();
        }
        if self.depth == 1 && self.members.capacity() > 0 {
            let key = Span {
                start: at as u32 + 1,
                end: end as u32,
            };
            let value = Span {
                start: value as u32,
                end: value as u32,
            };
            self.members.push(Member { key, value, plain });
        }
        Ok(value)
    }

    /// Passes a string value and notes what it says of encoded files.
    fn text(&mut self, at: usize) -> Result<usize, Fault> {
        let (end, _) = string(self.bytes, at + 1)?;
        let text = &self.bytes[at + 1..end];
        // An image costs some 1,600 tokens whatever its size; a document grows with its bytes, but far slower than text does.
        let beyond = text.len().saturating_sub(ENCODED_FLOOR.max(text.len() / 8));
        match self.name_of(at) {
            b"type" => match text {
                b"base64" | b"image_generation_call" => self.files |= self.bit(),
                _ => self.others |= self.bit(),
            },
            b"format" => self.files |= self.bit(),
            b"media_type" if !is_binary(text) => self.others |= self.bit(),
            _ if beyond == 0 || self.free != 0 || self.depth < 2 => {}
            b"url" | b"image_url" | b"file_data" if is_data_url(text) => {
                self.encoded_bytes += beyond;
            }
            b"data" | b"result" if is_base64(text) => self.waiting = Some((self.depth, beyond)),
            _ => {}
        }
        Ok(end + 1)
    }

    /// The name of the member whose value begins at `at`; empty for an element and for the whole.
    fn name_of(&self, at: usize) -> &'a [u8] {
        match self.value_at == at {
            true => self.key,
            false => b"",
        }
    }

    /// The bit of the innermost container.
    fn bit(&self) -> u128 {
        1 << (self.depth - 1)
    }
}

/// Encoded strings up to this length count as text in full.
const ENCODED_FLOOR: usize = 6_400;

/// Members in which files come, at the top level.
const CONTENT: [&[u8]; 2] = [b"messages", b"input"];
/// Members below it of any shape, whose every word the model may read: what calls were made with (a call's `input` in
/// Messages), tools, and what is told of sources.
const FREE: [&[u8]; 6] = [
    b"input",
    b"arguments",
    b"action",
    b"tools",
    b"annotations",
    b"citations",
];

/// Whether a string, as it stands in JSON, is a data URL of a binary file.
fn is_data_url(text: &[u8]) -> bool {
    let start = &text[..text.len().min(256)];
    let Some(comma) = start.iter().position(|&byte| byte == b',') else {
        return false;
    };
    let head = text[..comma].strip_prefix(b"data:");
    head.is_some_and(|head| head.ends_with(b";base64") && is_binary(head))
        && is_base64(&text[comma + 1..])
}

/// Whether a media type, as it stands in JSON, is of what no vendor reads as it is: a megabyte of `text/plain` has as many
/// tokens as one that is not encoded.
fn is_binary(kind: &[u8]) -> bool {
    if let Some(kind) = kind.strip_prefix(b"application") {
        let kind = kind.strip_prefix(b"\\").unwrap_or(kind);
        return kind.starts_with(b"/pdf") || kind.starts_with(b"/vnd.openxmlformats");
    }
    let binary: [&[u8]; 3] = [b"image", b"audio", b"video"];
    binary.iter().any(|binary| kind.starts_with(binary))
}

/// Whether all of a string, as it stands in JSON, is base64 of either alphabet. Of escapes only `\/` can be in it.
fn is_base64(text: &[u8]) -> bool {
    // Without a way out inside, the compiler turns a piece into vector instructions: images of 10 MB are common.
    !text.is_empty()
        && text.chunks(1_024).all(|piece| {
            let odd = piece.iter().fold(0, |odd, &byte| {
                let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
                // From `/` to `9`.
                let digit = byte.wrapping_sub(b'/') < 11;
                let sign = (byte == b'+') | (byte == b'=') | (byte == b'-') | (byte == b'_');
                odd | u8::from(!(letter | digit | sign | (byte == b'\\')))
            });
            odd == 0
        })
        && memchr::memchr_iter(b'\\', text).all(|at| text.get(at + 1) == Some(&b'/'))
}

/// Position of the first byte at or after `at` that is not whitespace.
#[inline]
pub(crate) fn whitespace(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

fn literal(bytes: &[u8], at: usize, word: &'static [u8]) -> Result<usize, Fault> {
    if bytes[at..].starts_with(word) {
        return Ok(at + word.len());
    }
    fault(at, "a value was expected")
}

fn number(bytes: &[u8], mut at: usize) -> Result<usize, Fault> {
    let digits = |mut at: usize| {
        let start = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if at == start {
            fault(at, "a digit was expected")
        } else {
            Ok(at)
        }
    };
    if bytes[at] == b'-' {
        at += 1;
    }
    at = match bytes.get(at) {
        Some(b'0') => at + 1,
        _ => digits(at)?,
    };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        at = digits(at)?;
    }
    Ok(at)
}

/// Passes the inside of a string; returns the position of the closing quote and whether there was no escape.
fn string(bytes: &[u8], mut at: usize) -> Result<(usize, bool), Fault> {
    let mut plain = true;
    loop {
        at = special(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok((at, plain)),
            Some(b'\\') => {
                plain = false;
                at += match bytes.get(at + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                    Some(b'u')
                        if bytes
                            .get(at + 2..at + 6)
                            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
                    {
                        6
                    }
                    _ => return fault(at, "there is an invalid escape in a string"),
                };
            }
            Some(_) => return fault(at, "there is an unescaped control character in a string"),
            None => return fault(at, "the body ends inside a string"),
        }
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Position of the first quote, backslash or control character at or after `at`; the end if there is none.
#[inline]
fn special(bytes: &[u8], mut at: usize) -> usize {
    let mut words = 0;
    while let Some(word) = bytes
        .get(at..at + 8)
        .and_then(|word| <[u8; 8]>::try_from(word).ok())
    {
        let word = u64::from_le_bytes(word);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        // The lowest marked byte is exact; a borrow can only mark bytes above it.
        let hits = (word.wrapping_sub(ONES * 0x20) & !word
            | quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash)
            & HIGH;
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
        words += 1;
        if words == 4 {
            // A long text: wide steps, which the compiler turns into vector instructions.
            while let Some(wide) = bytes.get(at..at + 64) {
                let any = wide.iter().fold(0, |any, &byte| {
                    any | u8::from((byte < 0x20) | (byte == b'"') | (byte == b'\\'))
                });
                if any != 0 {
                    break;
                }
                at += 64;
            }
            words = 0;
        }
    }
    while bytes
        .get(at)
        .is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        at += 1;
    }
    at
}
