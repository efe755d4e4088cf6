//! An opened credential: named fields, wiped on drop, never printed.

use std::collections::BTreeMap;
use std::fmt;

use memchr::memmem;
use ring::hmac;
use zeroize::Zeroizing;

use crate::error::VaultError;
use crate::template;

/// The secret fields of one upstream credential.
pub struct Credential {
    name: String,
    fields: BTreeMap<String, Zeroizing<String>>,
}

impl Credential {
    pub(crate) fn new(name: &str, fields: BTreeMap<String, Zeroizing<String>>) -> Self {
        Self {
            name: name.to_owned(),
            fields,
        }
    }

    /// The credential's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names of its fields, sorted.
    pub fn field_names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// Whether one of its secrets stands in these bytes: what a vendor repeats must not be passed on. Fields shorter
    /// than eight bytes are not looked for; a region or a user name is not a secret.
    #[must_use]
    pub fn occurs_in(&self, bytes: &[u8]) -> bool {
        self.secrets()
            .any(|secret| memmem::find(bytes, secret).is_some())
    }

    /// These bytes with a `*` for every byte of its secrets; `None` if none [occurs](Self::occurs_in) in them.
    #[must_use]
    pub fn blotted(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut blotted = self.occurs_in(bytes).then(|| bytes.to_vec())?;
        for secret in self.secrets() {
            while let Some(at) = memmem::find(&blotted, secret) {
                blotted[at..at + secret.len()].fill(b'*');
            }
        }
        Some(blotted)
    }

    /// How many bytes at the end of these are the beginning of one of its secrets, the rest of which may still come; the
    /// most if there are several, 0 if there is none.
    #[must_use]
    pub fn begun_in(&self, bytes: &[u8]) -> usize {
        let begun = |secret: &[u8]| {
            let longest = bytes.len().min(secret.len().saturating_sub(1));
            (1..=longest)
                .rev()
                .find(|&length| bytes.ends_with(&secret[..length]))
        };
        self.secrets().filter_map(begun).max().unwrap_or(0)
    }

    fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        let fields = self.fields.values().map(|field| field.as_bytes());
        // One of nothing but `*` would be found again for ever; it is no secret.
        fields.filter(|field| field.len() >= 8 && field.iter().any(|byte| *byte != b'*'))
    }

    /// Fills `{field}` in a template; `{{` stands for a brace.
    ///
    /// # Errors
    /// [`VaultError::UnknownField`] names the field; [`VaultError::Template`] for a brace without its partner.
    pub fn render(&self, template: &str) -> Result<Zeroizing<String>, VaultError> {
        template::render(template, |field| self.field(field))
    }

    /// HMAC over `data`, keyed with `prefix` followed by the field, for vendors that want requests signed.
    /// `algorithm` is `hmac-sha256`, `hmac-sha384` or `hmac-sha512`. Only the MAC comes back.
    ///
    /// # Errors
    /// [`VaultError::Algorithm`]; [`VaultError::UnknownField`] names the field.
    pub fn mac(
        &self,
        algorithm: &str,
        field: &str,
        prefix: &str,
        data: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let algorithm = match algorithm {
            "hmac-sha256" => hmac::HMAC_SHA256,
            "hmac-sha384" => hmac::HMAC_SHA384,
            "hmac-sha512" => hmac::HMAC_SHA512,
            other => return Err(VaultError::Algorithm(other.to_owned())),
        };
        let key = Zeroizing::new([prefix, self.field(field)?].concat());
        let key = hmac::Key::new(algorithm, key.as_bytes());
        Ok(hmac::sign(&key, data).as_ref().to_vec())
    }

    fn field(&self, field: &str) -> Result<&str, VaultError> {
        self.fields
            .get(field)
            .map(|value| value.as_str())
            .ok_or_else(|| VaultError::UnknownField {
                credential: self.name.clone(),
                field: field.to_owned(),
            })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("name", &self.name)
            .field("fields", &self.fields.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential() -> Credential {
        let fields = [("api-key", "s3cret-value"), ("region", "eu")];
        Credential::new(
            "work",
            fields
                .iter()
                .map(|(k, v)| ((*k).to_owned(), Zeroizing::new((*v).to_owned())))
                .collect(),
        )
    }

    #[test]
    fn debug_shows_names_and_no_value() {
        let shown = format!("{:?} {:#?}", credential(), credential());
        assert!(shown.contains("work") && shown.contains("api-key"));
        assert!(!shown.contains("s3cret") && !shown.contains("eu\""));
    }

    #[test]
    fn a_secret_that_a_vendor_repeats_is_blotted_out_everywhere() {
        let said = br#"{"error":"key s3cret-value is wrong: s3cret-value (eu)"}"#;
        let blotted = credential().blotted(said).unwrap();
        assert_eq!(
            blotted,
            br#"{"error":"key ************ is wrong: ************ (eu)"}"#
        );
        assert_eq!(credential().blotted(&blotted), None);
        assert_eq!(credential().blotted(b"s3cret-valu"), None);
    }

    #[test]
    fn the_beginning_of_a_secret_at_the_end_is_seen_and_no_other() {
        assert_eq!(credential().begun_in(b"the key s3cret-v"), 8);
        assert_eq!(credential().begun_in(b"this"), 1);
        assert_eq!(credential().begun_in(b"s3cret-v is the key"), 0);
        // A whole one is not begun, nor is what is too short to be a secret.
        assert_eq!(credential().begun_in(b"s3cret-value"), 0);
        assert_eq!(credential().begun_in(b"e"), 0);
        assert_eq!(credential().begun_in(b""), 0);
    }

    #[test]
    fn the_mac_is_standard_hmac_with_the_prefix_before_the_field() {
        let tag = credential()
            .mac("hmac-sha256", "api-key", "AWS4", b"20260101")
            .unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"AWS4s3cret-value");
        assert!(hmac::verify(&key, b"20260101", &tag).is_ok());
        assert_eq!(
            credential()
                .mac("hmac-sha384", "api-key", "", b"")
                .unwrap()
                .len(),
            48
        );
        assert_eq!(
            credential()
                .mac("hmac-sha512", "api-key", "", b"")
                .unwrap()
                .len(),
            64
        );
    }

    #[test]
    fn the_mac_matches_rfc_4231_test_case_2() {
        let fields = [("k".to_owned(), Zeroizing::new("Jefe".to_owned()))];
        let credential = Credential::new("rfc", fields.into());
        let tag = credential
            .mac("hmac-sha256", "k", "", b"what do ya want for nothing?")
            .unwrap();
        let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn an_unknown_field_or_algorithm_is_named_and_no_value_is() {
        let unknown = credential()
            .mac("hmac-sha256", "token", "", b"")
            .unwrap_err()
            .to_string();
        assert!(
            unknown.contains("token") && unknown.contains("work") && !unknown.contains("s3cret")
        );
        assert!(
            credential()
                .mac("md5", "api-key", "", b"")
                .unwrap_err()
                .to_string()
                .contains("md5")
        );
    }
}
