//! The envelope: a random data key seals the content, a wrapping key seals the data key, the name is bound to both.
//!
//! Layout: format (1 byte), id of the master key (8), nonce (12), data key and tag (32 + 16), nonce (12), content and tag.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::error::VaultError;

const FORMAT: u8 = 1;
const ID: usize = 8;
const NONCE: usize = 12;
const TAG: usize = 16;
const WRAPPED: usize = 32 + TAG;
const HEAD: usize = 1 + ID + NONCE + WRAPPED;

/// A sealed credential: bytes that only the vault of the same master key opens, and only under the same name.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedCredential(Vec<u8>);

impl SealedCredential {
    /// The bytes, to be stored.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SealedCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedCredential({} bytes)", self.0.len())
    }
}

/// The key that seals data keys, and the public id of the master key it came from.
pub(crate) struct Wrapping {
    pub(crate) id: [u8; ID],
    pub(crate) key: LessSafeKey,
}

impl Wrapping {
    /// Seals `content` as the `purpose` record of `name`.
    pub(crate) fn seal(
        &self,
        purpose: &str,
        name: &str,
        content: &[u8],
    ) -> Result<SealedCredential, VaultError> {
        let random = SystemRandom::new();
        let fill = |bytes: &mut [u8]| random.fill(bytes).map_err(|_| VaultError::Randomness);
        let mut data_key = Zeroizing::new([0u8; 32]);
        fill(&mut *data_key)?;
        let mut nonce = [0u8; NONCE];
        fill(&mut nonce)?;
        // The clear content stands only in a buffer that is wiped, at its full size from the start.
        let mut body = Zeroizing::new(Vec::with_capacity(content.len() + TAG));
        body.extend_from_slice(content);
        aes(&data_key)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                aad(purpose, "body", name),
                &mut *body,
            )
            .map_err(|_| VaultError::Damaged(name.to_owned()))?;
        let mut sealed = Vec::with_capacity(HEAD + NONCE + body.len());
        self.put_head(&mut sealed, purpose, name, &data_key)?;
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        Ok(SealedCredential(sealed))
    }

    /// Opens what [`Wrapping::seal`] made for the same purpose and name.
    pub(crate) fn open(
        &self,
        purpose: &str,
        name: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let damaged = || VaultError::Damaged(name.to_owned());
        let data_key = self.data_key(purpose, name, sealed)?;
        let (nonce, body) = sealed[HEAD..]
            .split_first_chunk::<NONCE>()
            .ok_or_else(damaged)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = aes(&data_key)?
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                aad(purpose, "body", name),
                &mut body,
            )
            .map_err(|_| damaged())?
            .len();
        body.truncate(length);
        Ok(body)
    }

    fn put_head(
        &self,
        sealed: &mut Vec<u8>,
        purpose: &str,
        name: &str,
        data_key: &[u8; 32],
    ) -> Result<(), VaultError> {
        let mut nonce = [0u8; NONCE];
        SystemRandom::new()
            .fill(&mut nonce)
            .map_err(|_| VaultError::Randomness)?;
        let mut wrapped = Zeroizing::new(Vec::with_capacity(WRAPPED));
        wrapped.extend_from_slice(data_key);
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                aad(purpose, "key", name),
                &mut *wrapped,
            )
            .map_err(|_| VaultError::Damaged(name.to_owned()))?;
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&wrapped);
        Ok(())
    }

    /// Checks the head and opens the data key.
    fn data_key(
        &self,
        purpose: &str,
        name: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let damaged = || VaultError::Damaged(name.to_owned());
        match sealed.first() {
            Some(&FORMAT) => {}
            Some(&found) if found > FORMAT => {
                return Err(VaultError::Newer {
                    name: name.to_owned(),
                    found,
                });
            }
            _ => return Err(damaged()),
        }
        let head = sealed.get(1..HEAD).ok_or_else(damaged)?;
        let (id, head) = head.split_first_chunk::<ID>().ok_or_else(damaged)?;
        if *id != self.id {
            return Err(VaultError::WrongMasterKey(name.to_owned()));
        }
        let (nonce, wrapped) = head.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
        let mut wrapped = Zeroizing::new(wrapped.to_vec());
        let opened = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                aad(purpose, "key", name),
                &mut wrapped,
            )
            .map_err(|_| damaged())?;
        let mut data_key = Zeroizing::new([0u8; 32]);
        if opened.len() != data_key.len() {
            return Err(damaged());
        }
        data_key.copy_from_slice(opened);
        Ok(data_key)
    }
}

pub(crate) fn aes(key: &[u8; 32]) -> Result<LessSafeKey, VaultError> {
    // 32 bytes always fit AES-256; the library cannot know.
    UnboundKey::new(&AES_256_GCM, key)
        .map(LessSafeKey::new)
        .map_err(|_| VaultError::Randomness)
}

/// What a sealed part is bound to: its purpose, its part and the name it was stored under.
fn aad(purpose: &str, part: &str, name: &str) -> Aad<Vec<u8>> {
    Aad::from(format!("tollgate/{purpose}/{part}/{FORMAT}\0{name}").into_bytes())
}
