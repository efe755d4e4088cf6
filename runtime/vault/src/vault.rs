//! The vault: seals and opens credentials, and keeps the pepper under which key hashes are made.

use std::collections::BTreeMap;
use std::fmt;

use ring::hkdf;
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::error::VaultError;
use crate::master::{MasterKey, MasterKeySource};
use crate::sealed::{SealedCredential, Wrapping, aes};

const CREDENTIAL: &str = "credential";
const PEPPER: &str = "pepper";
const SIGNING_KEY: &str = "signing key";

/// Seals and opens credentials under one master key.
pub struct Vault {
    wrapping: Wrapping,
    pepper: Zeroizing<[u8; 32]>,
}

impl Vault {
    /// Opens the vault with the master key of `source`.
    ///
    /// # Errors
    /// When the source holds no usable key.
    pub fn open(source: &MasterKeySource) -> Result<Self, VaultError> {
        let master = source.master_key()?;
        let mut id = [0u8; 8];
        id.copy_from_slice(&derive(&master, "id")?[..8]);
        let wrapping = Wrapping {
            id,
            key: aes(&*derive(&master, "wrap")?)?,
        };
        Ok(Self {
            wrapping,
            pepper: derive(&master, "pepper")?,
        })
    }

    /// Seals a credential under its name.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn seal<'a>(
        &self,
        name: &str,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<SealedCredential, VaultError> {
        let fields: BTreeMap<&str, &str> = fields.into_iter().collect();
        let size = fields
            .iter()
            .map(|(field, value)| 8 + field.len() + value.len())
            .sum();
        let mut content = Zeroizing::new(Vec::with_capacity(size));
        for (field, value) in fields {
            for text in [field, value] {
                let length =
                    u32::try_from(text.len()).map_err(|_| VaultError::Damaged(name.to_owned()))?;
                content.extend_from_slice(&length.to_be_bytes());
                content.extend_from_slice(text.as_bytes());
            }
        }
        self.wrapping.seal(CREDENTIAL, name, &content)
    }

    /// Opens a credential that was sealed under this name.
    ///
    /// # Errors
    /// [`VaultError::WrongMasterKey`]; [`VaultError::Damaged`] when a bit was flipped or the bytes belong to another
    /// name; [`VaultError::Newer`].
    pub fn open_credential(&self, name: &str, sealed: &[u8]) -> Result<Credential, VaultError> {
        let content = self.wrapping.open(CREDENTIAL, name, sealed)?;
        let damaged = || VaultError::Damaged(name.to_owned());
        let mut fields = BTreeMap::new();
        let mut rest = content.as_slice();
        let mut text = || -> Result<Option<Zeroizing<String>>, VaultError> {
            let Some((length, after)) = rest.split_first_chunk::<4>() else {
                return if rest.is_empty() {
                    Ok(None)
                } else {
                    Err(damaged())
                };
            };
            let length = u32::from_be_bytes(*length) as usize;
            let (text, after) = after.split_at_checked(length).ok_or_else(damaged)?;
            rest = after;
            let text = std::str::from_utf8(text).map_err(|_| damaged())?;
            Ok(Some(Zeroizing::new(text.to_owned())))
        };
        while let Some(field) = text()? {
            fields.insert(field.to_string(), text()?.ok_or_else(damaged)?);
        }
        Ok(Credential::new(name, fields))
    }

    /// The pepper for key hashes: derived from the master key unless [`Vault::with_pepper`] brought another.
    #[must_use]
    pub fn pepper(&self) -> &[u8; 32] {
        &self.pepper
    }

    /// The pepper, sealed: to be stored at the first start.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn seal_pepper(&self) -> Result<Vec<u8>, VaultError> {
        Ok(self
            .wrapping
            .seal(PEPPER, PEPPER, &*self.pepper)?
            .into_bytes())
    }

    /// Takes the stored pepper: the proof that this is the master key under which the store was made.
    ///
    /// # Errors
    /// [`VaultError::WrongMasterKey`] or [`VaultError::Damaged`].
    pub fn with_pepper(mut self, sealed: &[u8]) -> Result<Self, VaultError> {
        let pepper = self.wrapping.open(PEPPER, PEPPER, sealed)?;
        if pepper.len() != self.pepper.len() {
            return Err(VaultError::Damaged(PEPPER.to_owned()));
        }
        self.pepper.copy_from_slice(&pepper);
        Ok(self)
    }

    /// Seals a secret that signatures are made with, under its name: random, not derived, so that it can be replaced.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn seal_signing_key(&self, name: &str, seed: &[u8; 32]) -> Result<Vec<u8>, VaultError> {
        Ok(self.wrapping.seal(SIGNING_KEY, name, seed)?.into_bytes())
    }

    /// Opens what [`Vault::seal_signing_key`] sealed under this name.
    ///
    /// # Errors
    /// See [`Vault::open_credential`].
    pub fn open_signing_key(
        &self,
        name: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.wrapping.open(SIGNING_KEY, name, sealed)
    }

    /// A key for one purpose, derived from the pepper: for example to authenticate cached files.
    ///
    /// # Errors
    /// Never in practice: the length is fixed.
    pub fn derived_key(&self, purpose: &str) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        derive(&self.pepper, &format!("purpose/{purpose}"))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

/// HKDF-SHA-256: independent keys for independent purposes.
fn derive(master: &MasterKey, purpose: &str) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let mut key = Zeroizing::new([0u8; 32]);
    let info = [purpose.as_bytes()];
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"tollgate vault 1")
        .extract(master.as_slice())
        .expand(&info, hkdf::HKDF_SHA256)
        .and_then(|derived| derived.fill(&mut *key))
        .map_err(|_| VaultError::Randomness)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [(&str, &str); 2] = [("api-key", "sk-very-secret"), ("org", "")];

    fn vault(byte: u8) -> Vault {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode([byte; 32]);
        Vault::open(&MasterKeySource::Text(Zeroizing::new(text))).unwrap()
    }

    #[test]
    fn a_sealed_credential_opens_with_all_its_fields() {
        let sealed = vault(1).seal("work", FIELDS).unwrap();
        let credential = vault(1).open_credential("work", sealed.as_bytes()).unwrap();
        assert_eq!(
            credential.field_names().collect::<Vec<_>>(),
            ["api-key", "org"]
        );
        assert_eq!(
            *credential.render("Bearer {api-key}/{org}").unwrap(),
            "Bearer sk-very-secret/"
        );
    }

    #[test]
    fn the_secret_is_nowhere_in_the_sealed_bytes_and_no_two_seals_are_alike() {
        let (one, two) = (
            vault(1).seal("work", FIELDS).unwrap(),
            vault(1).seal("work", FIELDS).unwrap(),
        );
        assert!(!one.as_bytes().windows(6).any(|window| window == b"secret"));
        assert_ne!(one, two);
    }

    #[test]
    fn another_master_key_is_told_apart_from_damage() {
        let sealed = vault(1).seal("work", FIELDS).unwrap();
        let error = vault(2)
            .open_credential("work", sealed.as_bytes())
            .unwrap_err();
        assert!(matches!(error, VaultError::WrongMasterKey(name) if name == "work"));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let vault = vault(1);
        let sealed = vault.seal("work", FIELDS).unwrap().into_bytes();
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(
                vault.open_credential("work", &altered).is_err(),
                "bit {bit}"
            );
        }
        for length in 0..sealed.len() {
            assert!(
                vault.open_credential("work", &sealed[..length]).is_err(),
                "length {length}"
            );
        }
    }

    #[test]
    fn records_cannot_be_swapped_between_names() {
        let vault = vault(1);
        let sealed = vault.seal("cheap", FIELDS).unwrap();
        assert!(matches!(
            vault.open_credential("dear", sealed.as_bytes()),
            Err(VaultError::Damaged(_))
        ));
        // Nor can the halves of two records be combined.
        let other = vault.seal("dear", FIELDS).unwrap();
        let spliced = [&other.as_bytes()[..69], &sealed.as_bytes()[69..]].concat();
        assert!(vault.open_credential("dear", &spliced).is_err());
        assert!(vault.open_credential("cheap", &spliced).is_err());
    }

    #[test]
    fn a_credential_cannot_pass_as_the_pepper() {
        let vault = vault(1);
        let sealed = vault.seal(PEPPER, FIELDS).unwrap();
        assert!(vault.with_pepper(sealed.as_bytes()).is_err());
    }

    #[test]
    fn a_signing_key_opens_under_its_name_and_master_key_and_as_nothing_else() {
        let sealed = vault(1).seal_signing_key("audit", &[7; 32]).unwrap();
        let opened = vault(1).open_signing_key("audit", &sealed).unwrap();
        assert_eq!(*opened, [7; 32]);
        assert!(!sealed.windows(8).any(|window| window == [7; 8]));
        assert!(vault(1).open_signing_key("other", &sealed).is_err());
        assert!(vault(2).open_signing_key("audit", &sealed).is_err());
        assert!(vault(1).open_credential("audit", &sealed).is_err());
        let pepper = vault(1).seal_pepper().unwrap();
        assert!(vault(1).open_signing_key(PEPPER, &pepper).is_err());
    }

    #[test]
    fn the_stored_pepper_proves_the_master_key() {
        let stored = vault(1).seal_pepper().unwrap();
        assert!(matches!(
            vault(2).with_pepper(&stored),
            Err(VaultError::WrongMasterKey(_))
        ));
        assert_ne!(vault(1).pepper(), vault(2).pepper());
    }

    #[test]
    fn derived_keys_differ_by_purpose_and_from_the_pepper() {
        let vault = vault(1);
        let (one, two) = (
            vault.derived_key("cache").unwrap(),
            vault.derived_key("audit").unwrap(),
        );
        assert_ne!(one, two);
        assert_ne!(*one, *vault.pepper());
    }

    #[test]
    fn nothing_secret_shows_in_debug_or_errors() {
        let vault = vault(1);
        let sealed = vault.seal("work", FIELDS).unwrap();
        let opened = vault.open_credential("work", sealed.as_bytes()).unwrap();
        let error = opened.render("{none}").unwrap_err();
        let shown = format!("{vault:?} {sealed:?} {opened:?} {error:?} {error}");
        assert!(!shown.contains("sk-very"));
        assert!(shown.contains("api-key"));
    }
}
