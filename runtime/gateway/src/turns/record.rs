//! One kept turn, and how it lies on the disk: sealed, with nothing readable but when it expires.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use tollgate_governance::AccountId;

/// What a stored turn begins with.
const VERSION: u8 = 1;
/// Version, expiry (Unix milliseconds, big-endian), nonce.
const HEAD: usize = 1 + 8 + NONCE_LEN;

/// What is remembered of an answer, or of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Whose it is. For everybody else it is not there.
    pub(crate) account: AccountId,
    /// Unix milliseconds.
    pub(crate) expires_ms: u64,
    /// Tokens of the conversation up to here, the answer included.
    pub(crate) tokens: u64,
    pub(crate) kept: Kept,
}

/// Where the content is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kept {
    /// At the vendor of this upstream, which made the id.
    There { upstream: String },
    /// Here: the input items of the whole conversation (the JSON text of an array) and the response object.
    Here { input: String, response: String },
    /// A conversation: the answer that it has come to, if any.
    Conversation {
        created: u64,
        metadata: String,
        head: Option<String>,
    },
}

/// Seals and opens records.
pub(super) struct Sealer {
    key: LessSafeKey,
    random: SystemRandom,
}

impl Sealer {
    /// With this key of 256 bits.
    pub(super) fn new(key: &[u8; 32]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key).ok()?;
        Some(Self {
            key: LessSafeKey::new(key),
            random: SystemRandom::new(),
        })
    }

    /// The record as it is stored under `id`: it opens under no other.
    pub(super) fn seal(&self, id: &[u8], record: &Record) -> Option<Vec<u8>> {
        let mut head = [0; HEAD];
        head[0] = VERSION;
        head[1..9].copy_from_slice(&record.expires_ms.to_be_bytes());
        self.random.fill(&mut head[9..]).ok()?;
        let mut body = serde_json::to_vec(record).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(&head[9..]).ok()?;
        let bound = Aad::from([id, &head[..9]].concat());
        self.key
            .seal_in_place_append_tag(nonce, bound, &mut body)
            .ok()?;
        let mut stored = head.to_vec();
        stored.append(&mut body);
        Some(stored)
    }

    /// The record that was sealed under `id`; none if it was damaged or belongs elsewhere.
    pub(super) fn open(&self, id: &[u8], stored: &[u8]) -> Option<Record> {
        let (head, body) = stored.split_at_checked(HEAD)?;
        if head[0] != VERSION {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(&head[9..]).ok()?;
        let bound = Aad::from([id, &head[..9]].concat());
        let mut body = body.to_vec();
        let plain = self.key.open_in_place(nonce, bound, &mut body).ok()?;
        serde_json::from_slice(plain).ok()
    }
}

/// When a stored turn expires, Unix milliseconds, without opening it.
pub(super) fn expires_ms(stored: &[u8]) -> Option<u64> {
    let (head, _) = stored.split_at_checked(HEAD)?;
    let expiry = head.get(1..9)?.try_into().ok()?;
    (head[0] == VERSION).then(|| u64::from_be_bytes(expiry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            account: AccountId(uuid::Uuid::from_u128(7)),
            expires_ms: 123_456,
            tokens: 9,
            kept: Kept::Here {
                input: r#"[{"role":"user","content":"a secret plan"}]"#.to_owned(),
                response: "{}".to_owned(),
            },
        }
    }

    #[test]
    fn what_was_sealed_opens_under_its_own_id_and_key_only_and_cannot_be_read_or_changed() {
        let sealer = Sealer::new(&[1; 32]).unwrap();
        let stored = sealer.seal(b"resp_1", &record()).unwrap();
        assert_eq!(sealer.open(b"resp_1", &stored), Some(record()));
        assert_eq!(expires_ms(&stored), Some(123_456));
        assert!(!stored.windows(6).any(|part| part == b"secret"));
        assert_eq!(sealer.open(b"resp_2", &stored), None);
        assert_eq!(
            Sealer::new(&[2; 32]).unwrap().open(b"resp_1", &stored),
            None
        );
        for at in 0..stored.len() {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.open(b"resp_1", &changed), None, "byte {at}");
        }
        for length in 0..stored.len() {
            assert_eq!(sealer.open(b"resp_1", &stored[..length]), None);
        }
    }

    #[test]
    fn no_two_seals_are_the_same() {
        let sealer = Sealer::new(&[1; 32]).unwrap();
        assert_ne!(sealer.seal(b"a", &record()), sealer.seal(b"a", &record()));
    }
}
