//! The bytes of a group: a key that sorts by span and time, and a value.

use uuid::Uuid;

use super::UsageDecodeError;
use super::rollup::{RollupKey, Span, Sums};
use crate::codec::{Reader, put_number, put_text};
use crate::ids::{AccountId, KeyId};

/// The version of the value that this crate writes.
const VERSION: u8 = 1;
/// As texts of rows are cut.
const LONGEST: usize = 512;
const LONGEST_NAMES: usize = 4096;

const HOUR: u8 = b'h';
const DAY: u8 = b'd';

impl RollupKey {
    /// Appends the key's bytes to `out`. Keys of a span and a time have the bytes of [`RollupKey::prefix`] in front.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&Self::prefix(self.span, self.start_ms));
        put_number(out, self.path.len() as u64);
        for id in &self.path {
            out.extend_from_slice(id.as_bytes());
        }
        out.extend_from_slice(self.key.as_bytes());
        put_text(out, &self.provider, LONGEST);
        put_text(out, &self.model, LONGEST);
        put_number(out, self.tags.len() as u64);
        for (name, value) in &self.tags {
            put_text(out, name, LONGEST);
            put_text(out, value, LONGEST);
        }
    }

    /// Where the groups of a span that begin at `start_ms` or later start in a sorted store.
    #[must_use]
    pub fn prefix(span: Span, start_ms: u64) -> [u8; 9] {
        let mut prefix = [0; 9];
        prefix[0] = match span {
            Span::Hour => HOUR,
            Span::Day => DAY,
        };
        prefix[1..].copy_from_slice(&start_ms.to_be_bytes());
        prefix
    }

    /// Reads what [`RollupKey::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, UsageDecodeError> {
        Self::read(&mut Reader::new(bytes)).ok_or(UsageDecodeError::Damaged)
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            span: match reader.byte()? {
                HOUR => Span::Hour,
                DAY => Span::Day,
                _ => return None,
            },
            start_ms: u64::from_be_bytes(reader.array()?),
            path: (0..reader.count(16)?)
                .map(|_| reader.array().map(|id| AccountId(Uuid::from_bytes(id))))
                .collect::<Option<_>>()?,
            key: KeyId(Uuid::from_bytes(reader.array()?)),
            provider: reader.text()?.into_owned(),
            model: reader.text()?.into_owned(),
            tags: (0..reader.count(2)?)
                .map(|_| Some((reader.text()?.into_owned(), reader.text()?.into_owned())))
                .collect::<Option<_>>()?,
        })
    }
}

impl Sums {
    /// Appends the sums' bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        for figure in self.figures() {
            put_number(out, figure);
        }
        put_number(out, self.last_ms);
        put_text(out, &self.names, LONGEST_NAMES);
        put_text(out, &self.key_label, LONGEST);
    }

    /// Reads what [`Sums::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are damaged or of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, UsageDecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.byte() {
            Some(VERSION) => Self::read(&mut reader).ok_or(UsageDecodeError::Damaged),
            Some(newer) if newer > VERSION => Err(UsageDecodeError::Newer(newer)),
            _ => Err(UsageDecodeError::Damaged),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut sums = Sums::default();
        for figure in sums.figures_mut() {
            *figure = reader.number()?;
        }
        sums.last_ms = reader.number()?;
        sums.names = reader.text()?.into_owned();
        sums.key_label = reader.text()?.into_owned();
        Some(sums)
    }
}
