//! The bytes of a group: a key that sorts by span and time, and a value.

use uuid::Uuid;

use super::rollup::{RollupKey, Span, Sums};
use super::{UsageDecodeError, UsageRow};
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
        put_fixed(out, &self.path, self.key, &self.provider, &self.model);
        put_number(out, self.tags.len() as u64);
        for (name, value) in &self.tags {
            put_tag(out, name, value);
        }
    }

    /// Appends the bytes of the key of the group of `span` that begins at `start_ms` and that `row` counts in: those
    /// that [`Rollup::add`](super::Rollup::add) would count it in. On the path of every row: it makes no key first.
    pub fn encode_of(row: &UsageRow<'_>, span: Span, start_ms: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&Self::prefix(span, start_ms));
        put_fixed(out, &row.path, row.key, &row.provider, row.model());
        if row.tags.is_sorted_by(|one, next| one < next) {
            put_number(out, row.tags.len() as u64);
            for (name, value) in &row.tags {
                put_tag(out, name, value);
            }
            return;
        }
        let mut tags: Vec<_> = row.tags.iter().collect();
        tags.sort_unstable();
        tags.dedup();
        put_number(out, tags.len() as u64);
        for (name, value) in tags {
            put_tag(out, name, value);
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

fn put_fixed(out: &mut Vec<u8>, path: &[AccountId], key: KeyId, provider: &str, model: &str) {
    put_number(out, path.len() as u64);
    for id in path {
        out.extend_from_slice(id.as_bytes());
    }
    out.extend_from_slice(key.as_bytes());
    put_text(out, provider, LONGEST);
    put_text(out, model, LONGEST);
}

fn put_tag(out: &mut Vec<u8>, name: &str, value: &str) {
    put_text(out, name, LONGEST);
    put_text(out, value, LONGEST);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::calendar::Zone;
    use crate::usage::Rollup;

    fn tag() -> impl Strategy<Value = (String, String)> {
        let name = prop_oneof![Just("team"), Just("centre"), Just("")];
        (name, "[ab]{0,2}").prop_map(|(name, value)| (name.to_owned(), value))
    }

    proptest! {
        #[test]
        fn the_key_made_from_a_row_is_that_of_the_group_it_counts_in(
            tags in prop::collection::vec(tag(), 0..4), path in prop::collection::vec(any::<u128>(), 0..4),
            texts in prop::array::uniform3(".{0,3}"), at in 0..4_000_000_000_000u64,
        ) {
            let row = UsageRow {
                admitted_ms: at,
                path: path.into_iter().map(|id| AccountId(Uuid::from_u128(id))).collect::<Vec<_>>().into(),
                key: KeyId(Uuid::from_u128(9)),
                provider: texts[0].as_str().into(),
                requested_model: texts[1].as_str().into(),
                mapped_model: texts[2].as_str().into(),
                tags: tags.iter().map(|(name, value)| (name.into(), value.into())).collect(),
                ..UsageRow::default()
            };
            let mut rollup = Rollup::new(Zone::utc());
            rollup.add(&row);
            for (key, sums) in rollup.groups() {
                let (mut direct, mut through_key) = (Vec::new(), Vec::new());
                RollupKey::encode_of(&row, key.span, key.start_ms, &mut direct);
                key.encode(&mut through_key);
                prop_assert_eq!(direct, through_key);
                let mut added = Sums::default();
                added.add(&row);
                prop_assert_eq!(&added, sums);
            }
        }
    }
}
