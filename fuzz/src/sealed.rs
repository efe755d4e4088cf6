//! Sealed strings: what opens was sealed so, what is sealed opens to the same.

use tollgate_dialect::bridge::opaque::{OpaqueKind, open, seal, seal_item};

use crate::input::Input;

const KINDS: [OpaqueKind; 5] = [
    OpaqueKind::Signature,
    OpaqueKind::Redacted,
    OpaqueKind::Item,
    OpaqueKind::Plain,
    OpaqueKind::Summary,
];

/// See the module.
pub fn check(data: &[u8]) {
    let Some(input) = Input::of(data) else { return };
    let Ok(text) = std::str::from_utf8(input.payload) else {
        return;
    };
    if let Some(opened) = open(text) {
        if opened.is_from(&opened.family) {
            assert_eq!(seal(&opened.family, opened.kind, &opened.payload), text);
        }
        if let Some((id, content)) = opened.item() {
            let sealed = seal_item(&opened.family, id, content);
            assert_eq!(
                open(&sealed).map(|again| again.payload),
                Some(opened.payload.clone())
            );
        }
    }
    let (family, payload) = text.split_once('\n').unwrap_or(("", text));
    let kind = input.pick(0, &KINDS);
    let sealed = seal(family, kind, payload);
    assert!(sealed.starts_with("tg1.") && sealed.is_ascii());
    assert!(
        !sealed
            .contains(|letter: char| letter == '"' || letter == '\\' || letter.is_ascii_control())
    );
    let opened = open(&sealed).expect("what was sealed opens");
    assert_eq!((opened.kind, &*opened.payload), (kind, payload));
    assert!(opened.is_from(family) && !opened.is_from(&format!("{family}x")));
}
