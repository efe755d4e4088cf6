//! Reasoning that only its maker can read, as one string that any client can carry and hand back.
//!
//! Vendors sign or encrypt their reasoning and want it back unchanged, and refuse what another vendor made. So a
//! foreign client is given `tg1.<family>.<kind>.<payload in base64url>`, wherever its dialect has room for an opaque
//! string, and what comes back is opened for the family that made it and stripped for every other.
//!
//! Sealed means packed: the string is not encrypted here, and says in base64 what its vendor gave. What the vendor encrypted
//! or signed is as safe as the vendor made it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What every sealed string begins with.
const MARK: &str = "tg1.";

/// What kind of opaque reasoning a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpaqueKind {
    /// The signature of a thinking block; its text travels beside it, readable.
    Signature,
    /// The data of a redacted thinking block; there is no text.
    Redacted,
    /// A Responses reasoning item: its id, a line feed, its encrypted content (either may be empty).
    Item,
    /// Reasoning text that nobody signed: says who wrote it. The payload is empty where the text travels beside it, and
    /// the text itself where the client did not want to read it.
    Plain,
    /// The readable summary of a compacted conversation, made by the gateway: anybody's.
    Summary,
}

impl OpaqueKind {
    const ALL: [Self; 5] = [
        Self::Signature,
        Self::Redacted,
        Self::Item,
        Self::Plain,
        Self::Summary,
    ];

    /// The kind's name inside a sealed string.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Redacted => "redacted",
            Self::Item => "item",
            Self::Plain => "plain",
            Self::Summary => "summary",
        }
    }
}

/// A sealed string, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque {
    /// Who made it.
    pub family: String,
    /// What it is.
    pub kind: OpaqueKind,
    /// What the vendor gave, byte for byte.
    pub payload: String,
}

impl Opaque {
    /// Whether this vendor family made it, so that it may be given back to it.
    pub fn is_from(&self, family: &str) -> bool {
        self.family == plain_name(family)
    }

    /// Id and encrypted content of a sealed reasoning item.
    pub fn item(&self) -> Option<(&str, &str)> {
        (self.kind == OpaqueKind::Item)
            .then(|| self.payload.split_once('\n'))
            .flatten()
    }
}

/// Makes one string of what the vendor gave.
pub fn seal(family: &str, kind: OpaqueKind, payload: &str) -> String {
    let mut sealed = String::with_capacity(32 + family.len() + payload.len() * 4 / 3);
    sealed.push_str(MARK);
    sealed.push_str(&plain_name(family));
    sealed.push('.');
    sealed.push_str(kind.as_str());
    sealed.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut sealed);
    sealed
}

/// Seals a reasoning item.
pub fn seal_item(family: &str, id: &str, encrypted_content: &str) -> String {
    seal(
        family,
        OpaqueKind::Item,
        &format!("{}\n{encrypted_content}", id.replace('\n', "")),
    )
}

/// What was sealed; nothing if this is no sealed string.
pub fn open(sealed: &str) -> Option<Opaque> {
    let mut parts = sealed.strip_prefix(MARK)?.splitn(3, '.');
    let (family, kind, payload) = (parts.next()?, parts.next()?, parts.next()?);
    let kind = OpaqueKind::ALL
        .into_iter()
        .find(|known| known.as_str() == kind)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    Some(Opaque {
        family: family.to_owned(),
        kind,
        payload: String::from_utf8(payload).ok()?,
    })
}

/// A family's name without what would end it early inside a sealed string.
fn plain_name(family: &str) -> String {
    family
        .chars()
        .map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => letter,
            _ => '_',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sealed_opens_to_the_same_for_its_own_family_only(
            family in "\\PC{0,12}", payload in "\\PC*\n?\\PC*", index in 0..OpaqueKind::ALL.len(),
        ) {
            let kind = OpaqueKind::ALL[index];
            let sealed = seal(&family, kind, &payload);
            prop_assert!(sealed.is_ascii() && !sealed.contains(['"', '\\', '\n']), "a string of any dialect");
            let opened = open(&sealed).unwrap();
            prop_assert_eq!(&opened.payload, &payload);
            prop_assert_eq!(opened.kind, kind);
            prop_assert!(opened.is_from(&family));
            let other = family + "x";
            prop_assert!(!opened.is_from(&other));
        }

        #[test]
        fn foreign_strings_do_not_open(text in "\\PC*") {
            prop_assume!(!text.starts_with(MARK));
            prop_assert_eq!(open(&text), None);
        }
    }

    #[test]
    fn an_item_keeps_its_id_and_its_content() {
        let opened = open(&seal_item("maker", "rs_1", "gAAA=\n")).unwrap();
        assert_eq!(opened.item(), Some(("rs_1", "gAAA=\n")));
        assert_eq!(
            open(&seal("maker", OpaqueKind::Redacted, "x"))
                .unwrap()
                .item(),
            None
        );
    }

    #[test]
    fn damaged_strings_do_not_open() {
        for damaged in [
            "tg1.",
            "tg1.maker",
            "tg1.maker.signature",
            "tg1.maker.unknown.YQ",
            "tg1.maker.signature.Y!",
            "tg1.maker.signature._w",
        ] {
            assert_eq!(open(damaged), None, "{damaged}");
        }
    }
}
