//! The usage row: what one request did and cost, as it is kept for good.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::codec::{Reader, put_number, put_text};
use crate::ids::{AccountId, KeyId};
use crate::price::Tokens;

/// The version this crate writes. Members may be appended within a version; readers ignore what they do not know.
const VERSION: u8 = 1;

/// Texts are cut to this many bytes when stored: a client that names a model of 50 KB cannot fill the disk with it.
const LONGEST: usize = 512;
/// The names of a deep path together.
const LONGEST_NAMES: usize = 4096;

/// One finished request. Borrows what the request already has; empty text means "none".
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UsageRow<'a> {
    /// Our own id of the request (never an upstream's: those repeat).
    pub request: Uuid,
    /// Unix milliseconds.
    pub admitted_ms: u64,
    /// Unix milliseconds.
    pub ended_ms: u64,
    /// Ids of the path at that time, root first. The last is the account.
    pub path: Cow<'a, [AccountId]>,
    /// Names of the path at that time, e.g. `root/dept/alice`.
    pub names: Cow<'a, str>,
    /// Tags of the account and those that policies added.
    #[serde(serialize_with = "as_map")]
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The key that was shown.
    pub key: KeyId,
    /// Its label at that time.
    pub key_label: Cow<'a, str>,
    /// E.g. `chat-completions`.
    pub operation: Cow<'a, str>,
    /// The client's dialect, e.g. `openai-chat`.
    pub dialect: Cow<'a, str>,
    /// The model the client asked for.
    pub requested_model: Cow<'a, str>,
    /// The model the vendor was asked for.
    pub upstream_model: Cow<'a, str>,
    /// Provider component.
    pub provider: Cow<'a, str>,
    /// The operator's name of the upstream.
    pub upstream: Cow<'a, str>,
    /// Name of the credential that was used.
    pub credential: Cow<'a, str>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// HTTP status the client got.
    pub status: u16,
    /// Failure class, if it failed.
    pub error: Cow<'a, str>,
    /// The limit that refused it and whose it is, e.g. `rpm@root/dept`.
    pub limited_by: Cow<'a, str>,
    /// Whether it was admitted by the limits and so counts against them.
    pub counted: bool,
    /// What was used.
    pub tokens: Tokens,
    /// Whether `tokens` is our estimate rather than the upstream's word.
    pub estimated: bool,
    /// Micro-units.
    pub charged: u64,
    /// Micro-units held before dispatch.
    pub hold: u64,
    /// Time to the first byte of the answer; none if there was none.
    pub ttfb_ms: Option<u64>,
    /// Time to the last byte.
    pub total_ms: u64,
    /// Attempts after the first.
    pub retries: u32,
    /// The client's session, if it named one.
    pub session: Cow<'a, str>,
    /// Policies that acted, in order.
    pub policies: Vec<PolicyAct<'a>>,
}

/// A policy component that acted on a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PolicyAct<'a> {
    /// File stem of the component.
    pub component: Cow<'a, str>,
    /// SHA-256 of the component.
    #[serde(serialize_with = "as_hex")]
    pub digest: [u8; 32],
}

/// Why stored bytes are not a usage row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsageDecodeError {
    /// Written by a newer Tollgate.
    #[error("a usage row of version {0}; this Tollgate reads up to {VERSION}")]
    Newer(u8),
    /// Cut short or altered.
    #[error("a damaged usage row")]
    Damaged,
}

const STREAM: u8 = 1;
const COUNTED: u8 = 2;
const ESTIMATED: u8 = 4;
const FIRST_BYTE: u8 = 8;

impl<'a> UsageRow<'a> {
    /// The account that made the request.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.path.last().copied()
    }

    /// Appends the row's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(320);
        out.push(VERSION);
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.push(
            flag(self.stream, STREAM)
                | flag(self.counted, COUNTED)
                | flag(self.estimated, ESTIMATED)
                | flag(self.ttfb_ms.is_some(), FIRST_BYTE),
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

    /// In the order of the byte code. Changing it needs a new version.
    fn numbers(&self) -> [u64; 14] {
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
        ]
    }

    /// In the order of the byte code. Changing it needs a new version.
    fn texts(&self) -> (&str, [&str; 11]) {
        let texts: [&str; 11] = [
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
        ];
        (&self.names, texts)
    }

    /// Reads a row that [`UsageRow::encode`] wrote, borrowing its text from `bytes`.
    ///
    /// # Errors
    /// When the bytes are damaged or of a newer version.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, UsageDecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.byte() {
            Some(VERSION) => Self::read(&mut reader).ok_or(UsageDecodeError::Damaged),
            Some(newer) if newer > VERSION => Err(UsageDecodeError::Newer(newer)),
            _ => Err(UsageDecodeError::Damaged),
        }
    }

    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let flags = reader.byte()?;
        let request = Uuid::from_bytes(reader.array()?);
        let key = KeyId(Uuid::from_bytes(reader.array()?));
        let path: Vec<AccountId> = (0..reader.count(16)?)
            .map(|_| reader.array().map(|id| AccountId(Uuid::from_bytes(id))))
            .collect::<Option<_>>()?;
        let mut numbers = [0u64; 14];
        for number in &mut numbers {
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
        ] = numbers;
        let mut texts: [Cow<'a, str>; 12] = Default::default();
        for text in &mut texts {
            *text = reader.text()?;
        }
        let [
            names,
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
            requested_model,
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
            charged,
            hold,
            ttfb_ms: (flags & FIRST_BYTE != 0).then_some(ttfb),
            total_ms,
            retries: u32::try_from(retries).ok()?,
            session,
            policies,
        })
    }
}

fn as_map<S: Serializer>(
    tags: &[(Cow<'_, str>, Cow<'_, str>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(tags.iter().map(|(name, value)| (name, value)))
}

fn as_hex<S: Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(
        &digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> UsageRow<'static> {
        UsageRow {
            request: Uuid::from_u128(7),
            admitted_ms: 1_760_000_000_000,
            ended_ms: 1_760_000_000_912,
            path: (1..=3)
                .map(|id| AccountId(Uuid::from_u128(id)))
                .collect::<Vec<_>>()
                .into(),
            names: "root/research/alice".into(),
            tags: vec![("cost-centre".into(), "4711".into())],
            key: KeyId(Uuid::from_u128(9)),
            key_label: "laptop".into(),
            operation: "chat-completions".into(),
            dialect: "openai-chat".into(),
            requested_model: "fast".into(),
            upstream_model: "some-model-2026-01-01".into(),
            provider: "echo".into(),
            upstream: "echo-eu".into(),
            credential: "work".into(),
            stream: true,
            status: 200,
            error: "".into(),
            limited_by: "".into(),
            counted: true,
            tokens: Tokens {
                input: 812,
                cache_read: 4_096,
                cache_write_5m: 1,
                cache_write_1h: 2,
                output: 331,
                reasoning: 120,
            },
            estimated: false,
            charged: 9_871,
            hold: 61_440,
            ttfb_ms: Some(212),
            total_ms: 912,
            retries: 1,
            session: "c0ffee".into(),
            policies: vec![PolicyAct {
                component: "redact".into(),
                digest: [0xab; 32],
            }],
        }
    }

    fn bytes(row: &UsageRow<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        row.encode(&mut out);
        out
    }

    #[test]
    fn a_row_comes_back_as_it_was() {
        for row in [
            sample(),
            UsageRow::default(),
            UsageRow {
                ttfb_ms: Some(0),
                ..UsageRow::default()
            },
        ] {
            assert_eq!(UsageRow::decode(&bytes(&row)).unwrap(), row);
        }
        assert!(bytes(&sample()).len() < 400, "{}", bytes(&sample()).len());
    }

    #[test]
    fn bytes_appended_by_a_later_minor_version_are_ignored() {
        let mut longer = bytes(&sample());
        longer.extend_from_slice(b"something new");
        assert_eq!(UsageRow::decode(&longer).unwrap(), sample());
    }

    #[test]
    fn a_newer_version_and_every_cut_are_refused() {
        let good = bytes(&sample());
        let mut newer = good.clone();
        newer[0] = 2;
        assert_eq!(UsageRow::decode(&newer), Err(UsageDecodeError::Newer(2)));
        for length in 0..good.len() {
            assert_eq!(
                UsageRow::decode(&good[..length]),
                Err(UsageDecodeError::Damaged),
                "{length}"
            );
        }
    }

    #[test]
    fn a_text_that_a_client_made_huge_is_cut_between_characters() {
        let huge = "ü".repeat(50_000);
        let row = UsageRow {
            requested_model: huge.as_str().into(),
            session: "s".into(),
            ..sample()
        };
        let encoded = bytes(&row);
        assert!(encoded.len() < 1_000);
        let read = UsageRow::decode(&encoded).unwrap();
        assert_eq!(
            (&*read.requested_model, &*read.session),
            (&huge[..512], "s")
        );
        let odd = format!("x{huge}");
        let encoded = bytes(&UsageRow {
            requested_model: odd.as_str().into(),
            ..sample()
        });
        assert_eq!(
            UsageRow::decode(&encoded).unwrap().requested_model.len(),
            511
        );
    }

    #[test]
    fn json_for_reports_names_every_member() {
        let json = serde_json::to_value(sample()).unwrap();
        assert_eq!(json["tags"]["cost-centre"], "4711");
        assert_eq!(json["tokens"]["cache_read"], 4_096);
        assert_eq!(json["policies"][0]["digest"], "ab".repeat(32));
        assert_eq!(json["names"], "root/research/alice");
    }

    proptest! {
        #[test]
        fn nonsense_is_refused_without_panic_or_giant_allocation(mut noise in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Some(first) = noise.first_mut() { *first = VERSION; }
            let _ = UsageRow::decode(&noise);
        }

        #[test]
        fn any_numbers_and_texts_come_back(numbers in prop::array::uniform8(any::<u64>()), text in ".{0,40}", retries: u32, status: u16, flags: (bool, bool, bool)) {
            let row = UsageRow {
                admitted_ms: numbers[0] / 2, ended_ms: numbers[0] / 2 + numbers[1] / 2,
                tokens: Tokens { input: numbers[2], output: numbers[3], reasoning: numbers[4], ..Tokens::default() },
                charged: numbers[5], hold: numbers[6], ttfb_ms: Some(numbers[7]), retries, status,
                stream: flags.0, counted: flags.1, estimated: flags.2,
                session: text.as_str().into(), names: text.as_str().into(),
                ..UsageRow::default()
            };
            let encoded = bytes(&row);
            prop_assert_eq!(UsageRow::decode(&encoded).unwrap(), row);
        }
    }
}
