//! Bearer tokens: their shape, an off-line typo check, and the keyed hash under which they are stored.
//!
//! `tg-` (inference) or `tgm-` (management), then 43 URL-safe characters of 256 random bits, then 6 characters of
//! CRC-32 over all that precedes. A typo or a foreign key is told apart without a look-up, and secret scanners can
//! verify a find. Only an HMAC-SHA-256 of the token under a secret pepper is ever stored.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::random::Random;

const BODY: usize = 43;
const CHECKSUM: usize = 6;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What a token is good for. An inference key cannot manage; a management token cannot infer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// `tg-…`: calls models.
    Inference,
    /// `tgm-…`: manages accounts, keys and settings.
    Management,
}

impl TokenKind {
    /// What tokens of this kind begin with.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Inference => "tg-",
            Self::Management => "tgm-",
        }
    }

    /// Makes a token. The caller shows it once and keeps only its [`KeyMac`].
    pub fn mint(self, random: &mut dyn Random) -> Secret {
        let mut bits = Zeroizing::new([0u8; 32]);
        random.fill(&mut *bits);
        let prefix = self.prefix();
        let mut token = Zeroizing::new(String::with_capacity(prefix.len() + BODY + CHECKSUM));
        token.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(bits.as_slice(), &mut token);
        let sum = checksum(token.as_bytes());
        token.extend(sum.iter().map(|byte| char::from(*byte)));
        Secret(token)
    }

    /// Checks the shape and the checksum of a token, without any look-up.
    ///
    /// # Errors
    /// [`Malformed`] says in which way it cannot be a token of this kind.
    pub fn check(self, token: &str) -> Result<(), Malformed> {
        let prefix = self.prefix();
        let Some(rest) = token.strip_prefix(prefix) else {
            return Err(Malformed::Prefix(prefix));
        };
        if rest.len() != BODY + CHECKSUM {
            return Err(Malformed::Length);
        }
        // The checksum decides over every byte before it; its own bytes are compared, so no alphabet check is needed.
        let (covered, sum) = token.as_bytes().split_at(prefix.len() + BODY);
        if sum == checksum(covered) {
            Ok(())
        } else {
            Err(Malformed::Checksum)
        }
    }
}

/// Why a text cannot be a token. Never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It begins differently.
    #[error("a key begins with `{0}`")]
    Prefix(&'static str),
    /// Characters are missing or too many.
    #[error("the key is incomplete or has extra characters")]
    Length,
    /// A character is wrong.
    #[error("the key contains a typing error")]
    Checksum,
}

/// A token's text. Wiped on drop; `Debug` shows nothing.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself: for the one answer that shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Enough of it to recognise, far too little to use.
    #[must_use]
    pub fn display_prefix(&self) -> String {
        let shown = self.0.find('-').map_or(0, |dash| dash + 1) + 5;
        self.0.chars().take(shown).chain(['…']).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Keyed hash of a token. It is as random as the token was, so plain comparison reveals nothing usable:
/// who cannot compute the HMAC cannot steer the bytes that are compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyMac([u8; 32]);

impl KeyMac {
    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMac(…)")
    }
}

impl Serialize for KeyMac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for KeyMac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text.as_bytes())
            .map_err(D::Error::custom)?;
        let bytes = bytes
            .try_into()
            .map_err(|_| D::Error::custom("a key hash has 32 bytes"))?;
        Ok(Self(bytes))
    }
}

/// Computes [`KeyMac`]s under one pepper; made once, shared by all workers.
#[derive(Clone)]
pub struct KeyHasher(hmac::Key);

impl KeyHasher {
    /// A hasher under `pepper`, which the vault keeps.
    #[must_use]
    pub fn new(pepper: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, pepper))
    }

    /// The hash under which `token` is stored.
    #[must_use]
    pub fn mac(&self, token: &str) -> KeyMac {
        let tag = hmac::sign(&self.0, token.as_bytes());
        let mut bytes = [0u8; 32];
        bytes.copy_from_slice(tag.as_ref());
        KeyMac(bytes)
    }
}

impl fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHasher(…)")
    }
}

/// CRC-32 in six characters of the URL-safe alphabet, most significant first.
fn checksum(covered: &[u8]) -> [u8; CHECKSUM] {
    let crc = !covered.iter().fold(!0u32, |crc, byte| {
        let index = (crc ^ u32::from(*byte)) & 0xff;
        (crc >> 8) ^ CRC_TABLE[index as usize]
    });
    let mut text = [0u8; CHECKSUM];
    for (place, character) in text.iter_mut().rev().enumerate() {
        *character = ALPHABET[(u64::from(crc) >> (6 * place)) as usize & 0x3f];
    }
    text
}

/// CRC-32 (IEEE 802.3), one byte at a time.
static CRC_TABLE: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                0xedb8_8320 ^ (value >> 1)
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;

    #[test]
    fn a_minted_token_has_the_documented_shape_and_passes_its_own_check() {
        for (kind, length) in [(TokenKind::Inference, 52), (TokenKind::Management, 53)] {
            let token = kind.mint(&mut Seeded::new(1));
            assert_eq!(token.expose().len(), length);
            assert!(token.expose().starts_with(kind.prefix()));
            assert_eq!(kind.check(token.expose()), Ok(()));
            assert!(token.expose().bytes().all(|b| ALPHABET.contains(&b)));
        }
    }

    #[test]
    fn every_single_character_typo_is_caught_without_a_look_up() {
        let token = TokenKind::Inference.mint(&mut Seeded::new(2));
        for place in 0..token.expose().len() {
            for other in ALPHABET {
                let mut bytes = token.expose().as_bytes().to_vec();
                if bytes[place] == *other {
                    continue;
                }
                bytes[place] = *other;
                let typo = String::from_utf8(bytes).unwrap();
                assert!(TokenKind::Inference.check(&typo).is_err(), "place {place}");
            }
        }
    }

    #[test]
    fn swapped_neighbours_missing_and_extra_characters_are_caught() {
        let token = TokenKind::Inference.mint(&mut Seeded::new(3));
        let text = token.expose();
        let check = |text: &str| TokenKind::Inference.check(text);
        for place in 3..text.len() - 1 {
            let mut bytes = text.as_bytes().to_vec();
            bytes.swap(place, place + 1);
            if bytes != text.as_bytes() {
                assert!(check(&String::from_utf8(bytes).unwrap()).is_err());
            }
        }
        assert_eq!(check(&text[..text.len() - 1]), Err(Malformed::Length));
        assert_eq!(check(&format!("{text}A")), Err(Malformed::Length));
        assert_eq!(check("sk-abc"), Err(Malformed::Prefix("tg-")));
        assert_eq!(check(""), Err(Malformed::Prefix("tg-")));
        assert!(check(&format!("tg-{}", "é".repeat(24) + "x")).is_err());
    }

    #[test]
    fn a_management_token_is_no_inference_key_and_the_other_way_round() {
        let manage = TokenKind::Management.mint(&mut Seeded::new(4));
        let infer = TokenKind::Inference.mint(&mut Seeded::new(4));
        assert!(TokenKind::Inference.check(manage.expose()).is_err());
        assert!(TokenKind::Management.check(infer.expose()).is_err());
    }

    #[test]
    fn the_hash_depends_on_the_pepper_and_neither_shows_in_debug() {
        let token = TokenKind::Inference.mint(&mut Seeded::new(5));
        let (one, two) = (KeyHasher::new(&[1; 32]), KeyHasher::new(&[2; 32]));
        assert_eq!(one.mac(token.expose()), one.mac(token.expose()));
        assert_ne!(one.mac(token.expose()), two.mac(token.expose()));
        let shown = format!("{token:?} {one:?} {:?}", one.mac(token.expose()));
        assert_eq!(shown, "Secret(…) KeyHasher(…) KeyMac(…)");
        assert_eq!(token.display_prefix().chars().count(), 9);
    }

    #[test]
    fn the_hash_survives_serialisation() {
        let mac = KeyHasher::new(&[1; 32]).mac("tg-x");
        let text = serde_json::to_string(&mac).unwrap();
        assert_eq!(serde_json::from_str::<KeyMac>(&text).unwrap(), mac);
        assert!(serde_json::from_str::<KeyMac>("\"AAAA\"").is_err());
    }

    #[test]
    fn the_checksum_is_the_standard_crc_32() {
        // CRC-32 of "123456789" is 0xcbf43926.
        let mut expected = [0u8; 6];
        for (place, character) in expected.iter_mut().rev().enumerate() {
            *character = ALPHABET[(0xcbf4_3926u64 >> (6 * place)) as usize & 0x3f];
        }
        assert_eq!(checksum(b"123456789"), expected);
    }
}
