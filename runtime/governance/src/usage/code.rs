//! The usage row's bytes. On the path of every request: one buffer, no other allocation.

use std::borrow::Cow;

use uuid::Uuid;

use super::{PolicyAct, UsageDecodeError, UsageRow};
use crate::codec::{Reader, put_number, put_text};
use crate::ids::{AccountId, KeyId};
use crate::price::{Factor, Tokens};

/// The version this crate writes. Members may be appended within a version; readers ignore what they do not know.
pub(super) const VERSION: u8 = 2;

/// Texts are cut to this many bytes when stored: a client that names a model of 50 KB cannot fill the disk with it.
const LONGEST: usize = 512;
/// The names of a deep path together.
const LONGEST_NAMES: usize = 4096;

const NUMBERS: usize = 16;
/// The names apart.
const TEXTS: usize = 14;

/// How much of the numbers and texts a version has.
struct Shape {
    numbers: usize,
    texts: usize,
    priced: bool,
}

const V1: Shape = Shape {
    numbers: 14,
    texts: 11,
    priced: false,
};
const V2: Shape = Shape {
    numbers: NUMBERS,
    texts: TEXTS,
    priced: true,
};

const STREAM: u8 = 1;
const COUNTED: u8 = 2;
const ESTIMATED: u8 = 4;
const FIRST_BYTE: u8 = 8;
const RECOVERED: u8 = 16;

impl<'a> UsageRow<'a> {
    /// Appends the row's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(384);
        out.push(VERSION);
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.push(
            flag(self.stream, STREAM)
                | flag(self.counted, COUNTED)
                | flag(self.estimated, ESTIMATED)
                | flag(self.ttfb_ms.is_some(), FIRST_BYTE)
                | flag(self.recovered, RECOVERED),
        );
        out.extend_from_slice(self.request.as_bytes());
        out.extend_from_slice(self.key.as_bytes());
        put_number(out, self.path.len() as u64);
        for id in self.path.iter() {
            out.extend_from_slice(id.as_bytes());
        }
        for number in self.numbers() {
            put_number(out, number);
        }
        let (names, texts) = self.texts();
        put_text(out, names, LONGEST_NAMES);
        for text in texts {
            put_text(out, text, LONGEST);
        }
        put_number(out, self.tags.len() as u64);
        for (name, value) in &self.tags {
            put_text(out, name, LONGEST);
            put_text(out, value, LONGEST);
        }
        put_number(out, self.policies.len() as u64);
        for act in &self.policies {
            put_text(out, &act.component, LONGEST);
            out.extend_from_slice(&act.digest);
        }
    }

    /// In the order of the byte code. Changing it needs a new version; version 2 appended to version 1.
    fn numbers(&self) -> [u64; NUMBERS] {
        [
            self.admitted_ms,
            self.ended_ms.saturating_sub(self.admitted_ms),
            u64::from(self.status),
            self.tokens.input,
            self.tokens.cache_read,
            self.tokens.cache_write_5m,
            self.tokens.cache_write_1h,
            self.tokens.output,
            self.tokens.reasoning,
            self.charged,
            self.hold,
            self.ttfb_ms.unwrap_or(0),
            self.total_ms,
            u64::from(self.retries),
            self.base_cost,
            self.factor.millionths(),
        ]
    }

    /// In the order of the byte code. Changing it needs a new version; version 2 appended to version 1.
    fn texts(&self) -> (&str, [&str; TEXTS]) {
        let texts: [&str; TEXTS] = [
            &self.key_label,
            &self.operation,
            &self.dialect,
            &self.requested_model,
            &self.upstream_model,
            &self.provider,
            &self.upstream,
            &self.credential,
            &self.error,
            &self.limited_by,
            &self.session,
            &self.dialect_out,
            &self.mapped_model,
            &self.price_version,
        ];
        (&self.names, texts)
    }

    /// Reads a row that [`UsageRow::encode`] wrote, in this or an earlier version, borrowing its text from `bytes`.
    ///
    /// # Errors
    /// When the bytes are damaged or of a newer version.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, UsageDecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.byte() {
            Some(1) => Self::read(&mut reader, &V1).ok_or(UsageDecodeError::Damaged),
            Some(VERSION) => Self::read(&mut reader, &V2).ok_or(UsageDecodeError::Damaged),
            Some(newer) if newer > VERSION => Err(UsageDecodeError::Newer(newer)),
            _ => Err(UsageDecodeError::Damaged),
        }
    }

    fn read(reader: &mut Reader<'a>, shape: &Shape) -> Option<Self> {
        let flags = reader.byte()?;
        let request = Uuid::from_bytes(reader.array()?);
        let key = KeyId(Uuid::from_bytes(reader.array()?));
        let path: Vec<AccountId> = (0..reader.count(16)?)
            .map(|_| reader.array().map(|id| AccountId(Uuid::from_bytes(id))))
            .collect::<Option<_>>()?;
        let mut numbers = [0u64; NUMBERS];
        for number in numbers.iter_mut().take(shape.numbers) {
            *number = reader.number()?;
        }
        let [
            admitted_ms,
            lasted,
            status,
            input,
            cache_read,
            cache_write_5m,
            cache_write_1h,
            output,
            reasoning,
            charged,
            hold,
            ttfb,
            total_ms,
            retries,
            base_cost,
            factor,
        ] = numbers;
        let names = reader.text()?;
        let mut texts: [Cow<'a, str>; TEXTS] = Default::default();
        for text in texts.iter_mut().take(shape.texts) {
            *text = reader.text()?;
        }
        let [
            key_label,
            operation,
            dialect,
            requested_model,
            upstream_model,
            provider,
            upstream,
            credential,
            error,
            limited_by,
            session,
            dialect_out,
            mapped_model,
            price_version,
        ] = texts;
        let tags = (0..reader.count(2)?)
            .map(|_| Some((reader.text()?, reader.text()?)))
            .collect::<Option<_>>()?;
        let policies = (0..reader.count(33)?)
            .map(|_| {
                Some(PolicyAct {
                    component: reader.text()?,
                    digest: reader.array()?,
                })
            })
            .collect::<Option<_>>()?;
        Some(Self {
            request,
            admitted_ms,
            ended_ms: admitted_ms.checked_add(lasted)?,
            path: path.into(),
            names,
            tags,
            key,
            key_label,
            operation,
            dialect,
            dialect_out,
            requested_model,
            mapped_model,
            upstream_model,
            provider,
            upstream,
            credential,
            stream: flags & STREAM != 0,
            status: u16::try_from(status).ok()?,
            error,
            limited_by,
            counted: flags & COUNTED != 0,
            tokens: Tokens {
                input,
                cache_read,
                cache_write_5m,
                cache_write_1h,
                output,
                reasoning,
            },
            estimated: flags & ESTIMATED != 0,
            // Before version 2 there were no factors: what was charged was the cost.
            base_cost: if shape.priced { base_cost } else { charged },
            factor: if shape.priced {
                Factor::new(factor).ok()?
            } else {
                Factor::ONE
            },
            price_version,
            charged,
            hold,
            ttfb_ms: (flags & FIRST_BYTE != 0).then_some(ttfb),
            total_ms,
            retries: u32::try_from(retries).ok()?,
            session,
            recovered: flags & RECOVERED != 0,
            policies,
        })
    }
}
