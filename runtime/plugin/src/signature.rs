//! Who vouches for a component: an Ed25519 signature in the last section of its own file, so that one file is dropped in and
//! no half of a pair can be missing. The section is a custom one, which every tool passes over.

use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::engine::hex;

/// Section 0 (custom) of 115 bytes: the length of its name, its name, then the public key and the signature. All lengths
/// are below 128 and so one byte each: the section is found from the end of the file, before anything is parsed.
const HEAD: &[u8; 21] = b"\x00\x73\x12tollgate-signature";
const KEY: usize = 32;
const SIGNATURE: usize = 64;
const SECTION: usize = HEAD.len() + KEY + SIGNATURE;
/// Stands before what is signed, so that a signature of something else is none of a component.
const CONTEXT: &[u8] = b"tollgate component 1\0";

/// The public half of a key whose components are loaded: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TrustedKey([u8; KEY]);

impl std::fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl TryFrom<String> for TrustedKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        from_hex(&text)
            .map(Self)
            .ok_or("a trusted key is 64 hexadecimal digits, as `tollgate component signing-key` prints them")
    }
}

/// Signs components. Whoever has its secret decides what gateways that trust it run.
pub struct Signer(Ed25519KeyPair);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Signer").field(&self.public_key()).finish()
    }
}

impl Signer {
    /// A new secret, 64 hexadecimal digits; none where the system has no randomness.
    pub fn new_secret() -> Option<Zeroizing<String>> {
        let mut seed = Zeroizing::new([0; KEY]);
        SystemRandom::new().fill(&mut *seed).ok()?;
        Some(Zeroizing::new(hex(&*seed)))
    }

    /// The signer of a secret; none if it is none.
    pub fn from_secret(secret: &str) -> Option<Self> {
        let seed = Zeroizing::new(from_hex(secret.trim())?);
        Ed25519KeyPair::from_seed_unchecked(&*seed).ok().map(Self)
    }

    /// What a gateway is told to trust, 64 hexadecimal digits.
    pub fn public_key(&self) -> String {
        hex(self.0.public_key().as_ref())
    }

    /// The file with this signature, in place of one that it may have had.
    pub fn sign(&self, file: &[u8]) -> Vec<u8> {
        let (component, _) = split(file);
        let signature = self.0.sign(&message(component));
        let parts = [
            component,
            HEAD,
            self.0.public_key().as_ref(),
            signature.as_ref(),
        ];
        parts.concat()
    }
}

/// Looks whether one of these keys vouches for a file; where there are none, nobody has to.
///
/// # Errors
/// A sentence that says why nobody does.
pub(crate) fn check(file: &[u8], trusted: &[TrustedKey]) -> Result<(), String> {
    if trusted.is_empty() {
        return Ok(());
    }
    let (component, section) = split(file);
    let Some((key, signature)) = section.and_then(|section| section.split_at_checked(KEY)) else {
        return Err("is not signed, and only components signed with a key of `components.trusted_keys` are loaded".into());
    };
    if !trusted.iter().any(|trusted| trusted.0 == key) {
        return Err(format!(
            "is signed with the key {}, which is not in `components.trusted_keys`",
            hex(key)
        ));
    }
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&message(component), signature)
        .map_err(|_| "has been changed since it was signed".into())
}

/// The component, and what its signature section says after its head.
fn split(file: &[u8]) -> (&[u8], Option<&[u8]>) {
    let ends = file.len().checked_sub(SECTION);
    let parts = ends.and_then(|ends| file.split_at_checked(ends));
    let section =
        parts.and_then(|(component, section)| Some((component, section.strip_prefix(HEAD)?)));
    section.map_or((file, None), |(component, said)| (component, Some(said)))
}

fn message(component: &[u8]) -> Vec<u8> {
    let digest = digest::digest(&digest::SHA256, component);
    [CONTEXT, digest.as_ref()].concat()
}

fn from_hex(text: &str) -> Option<[u8; KEY]> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect();
    let digits = digits.filter(|digits| digits.len() == 2 * KEY)?;
    let mut bytes = [0; KEY];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    fn signer(byte: u8) -> Signer {
        Signer::from_secret(&hex(&[byte; 32])).unwrap()
    }

    fn trusted(signer: &Signer) -> TrustedKey {
        TrustedKey::try_from(signer.public_key()).unwrap()
    }

    #[test]
    fn a_signed_component_is_a_component_and_signing_it_again_replaces_the_signature() {
        let signed = signer(1).sign(COMPONENT);
        assert_eq!(signed.len(), COMPONENT.len() + SECTION);
        wasmparser::validate(&signed).unwrap();
        let again = signer(2).sign(&signed);
        assert_eq!(again.len(), signed.len());
        check(&again, &[trusted(&signer(1)), trusted(&signer(2))]).unwrap();
        check(&again, &[trusted(&signer(1))]).unwrap_err();
    }

    #[test]
    fn nobody_has_to_vouch_where_nobody_is_trusted() {
        check(COMPONENT, &[]).unwrap();
        check(&signer(1).sign(COMPONENT), &[]).unwrap();
        check(b"", &[]).unwrap();
    }

    #[test]
    fn what_is_unsigned_signed_by_a_stranger_or_changed_by_a_bit_is_refused() {
        let (own, stranger) = (signer(1), signer(2));
        let keys = [trusted(&own)];
        for unsigned in [b"".as_slice(), COMPONENT, &HEAD[..]] {
            assert!(
                check(unsigned, &keys)
                    .unwrap_err()
                    .contains("is not signed")
            );
        }
        let strange = stranger.sign(COMPONENT);
        let why = check(&strange, &keys).unwrap_err();
        assert!(why.contains(&stranger.public_key()), "{why}");
        let signed = own.sign(COMPONENT);
        check(&signed, &keys).unwrap();
        for bit in 0..signed.len() * 8 {
            let mut changed = signed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            check(&changed, &keys).unwrap_err();
        }
        // A stranger's signature under our key's name.
        let mut forged = strange;
        let at = COMPONENT.len() + HEAD.len();
        forged[at..at + KEY].copy_from_slice(&keys[0].0);
        check(&forged, &keys).unwrap_err();
    }

    #[test]
    fn keys_are_hexadecimal_digits_and_secrets_are_not_shown() {
        for wrong in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"ä".repeat(32)] {
            assert!(TrustedKey::try_from(wrong.to_owned()).is_err(), "{wrong}");
            assert!(Signer::from_secret(wrong).is_none());
        }
        let secret = Signer::new_secret().unwrap();
        let signer = Signer::from_secret(&format!("{}\n", *secret)).unwrap();
        assert!(!format!("{signer:?}").contains(&**secret));
        assert_ne!(*Signer::new_secret().unwrap(), *secret);
    }
}
