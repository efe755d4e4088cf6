//! Ids of the items that the gateway makes: in answers in Responses, in its lists, in conversations. A client sends them
//! back with its history, and a vendor that keeps items of its own may look for them: so they are known by how they look.

use std::borrow::Cow;

use crate::json::text::escape;

use super::Stamp;

/// An item's id: what it is, the request's id, its place. Escaped.
pub(crate) fn item_id(stamp: &Stamp, kind: &str, index: u64) -> Vec<u8> {
    let mut id = Vec::new();
    escape(&mut id, &stamp.id(kind));
    id.push(b'_');
    id.extend_from_slice(index.to_string().as_bytes());
    id
}

/// What the ids begin with.
const KINDS: [&[u8]; 14] = [
    b"msg_", b"rs_", b"fc_", b"ctc_", b"tsc_", b"ws_", b"mcp_", b"ci_", b"cu_", b"sh_", b"lsh_",
    b"apc_", b"cic_", b"cie_",
];

/// Whether the id was made here: of an answer's item, or of one that is listed or lies in a conversation. No vendor is known
/// whose ids have a UUID of version 7 behind these words, or a number and another's id.
pub(crate) fn is_ours(id: &[u8]) -> bool {
    if let Some(rest) = id.strip_prefix(b"item_") {
        return is_listed(rest) || after_uuid(rest).is_some_and(<[u8]>::is_empty);
    }
    let rest = KINDS.iter().find_map(|kind| id.strip_prefix(*kind));
    rest.and_then(after_uuid)
        .and_then(|place| place.strip_prefix(b"_"))
        .is_some_and(is_number)
}

/// The answer in which an item lies whose id was made here: as one of its output, or as one that is listed of its input.
pub fn answer_of(id: &str) -> Option<Cow<'_, str>> {
    let (kind, rest) = id.split_once('_').filter(|_| is_ours(id.as_bytes()))?;
    if kind != "item" {
        return Some(format!("resp_{}", rest.split_once('_')?.0).into());
    }
    let (_, whole) = rest.split_once('_')?;
    whole.starts_with("resp_").then_some(whole.into())
}

/// What is listed without an id gets its place and the id of what it lies in, which a vendor may have given.
fn is_listed(rest: &[u8]) -> bool {
    let mut halves = rest.splitn(2, |byte| *byte == b'_');
    let (place, whole) = (
        halves.next().unwrap_or_default(),
        halves.next().unwrap_or_default(),
    );
    let lies_in = |prefix: &[u8]| whole.len() > prefix.len() && whole.starts_with(prefix);
    is_number(place) && (lies_in(b"resp_") || lies_in(b"conv_"))
}

/// What stands behind a UUID of version 7, written as the gateway writes them (32 digits), or with its hyphens.
fn after_uuid(text: &[u8]) -> Option<&[u8]> {
    let hyphens: &[usize] = match text.get(8) {
        Some(b'-') => &[8, 13, 18, 23],
        _ => &[],
    };
    let (uuid, rest) = text.split_at_checked(32 + hyphens.len())?;
    let is_one = uuid.iter().enumerate().all(|(at, letter)| {
        // Twelve digits stand before the one that tells the version.
        let version = if hyphens.is_empty() { 12 } else { 14 };
        match at {
            _ if hyphens.contains(&at) => *letter == b'-',
            _ if at == version => *letter == b'7',
            _ => matches!(letter, b'0'..=b'9' | b'a'..=b'f'),
        }
    });
    is_one.then_some(rest)
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// Whether one stands in these bytes as the `id` of something: a look at them, for nearly all have none.
pub(crate) fn stands_in(bytes: &[u8]) -> bool {
    const NAME: &[u8] = b"\"id\"";
    memchr::memmem::find_iter(bytes, NAME).any(|at| {
        let after = bytes[at + NAME.len()..].trim_ascii_start();
        let value = after.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        let id = value.and_then(|value| value.strip_prefix(b"\""));
        let id = id.and_then(|id| id.split(|byte| *byte == b'"').next());
        id.is_some_and(is_ours)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The id of a request, and of an item in a conversation, as a running gateway wrote them.
    const REAL: &str = "01a22a7e37217df285d8c285881470f0";
    const HYPHENATED: &str = "01a22a7e-3721-7df2-85d8-c285881470f0";

    #[test]
    fn an_id_that_is_made_here_is_known_and_a_vendors_is_not() {
        for request_id in [REAL, HYPHENATED] {
            let stamp = Stamp {
                request_id: request_id.to_owned(),
                created: 0,
            };
            for kind in KINDS {
                let id = item_id(&stamp, std::str::from_utf8(kind).unwrap(), 12);
                assert!(is_ours(&id), "{}", String::from_utf8_lossy(&id));
            }
        }
        for listed in [
            format!("item_0_resp_{REAL}"),
            format!("item_12_conv_{REAL}"),
            "item_3_resp_68c1f2a0b7b48190a1d4f0a9c2f3e4d5068c1f2a".to_owned(),
            format!("item_{REAL}"),
        ] {
            assert!(is_ours(listed.as_bytes()), "{listed}");
        }
        for other in [
            "msg_01a22a7e37217df285d8c285881470f0",
            "msg_01a22a7e37217df285d8c285881470f0_",
            "msg_01a22a7e37217df285d8c285881470f0_1a",
            "msg_01a22a7e37214df285d8c285881470f0_1",
            "msg_01A22A7E37217DF285D8C285881470F0_1",
            "msg_01a22a7e-3721-4df2-85d8-c285881470f0_1",
            "msg_01a22a7e-37217-df2-85d8-c285881470f0_1",
            "resp_01a22a7e37217df285d8c285881470f0_1",
            "01a22a7e37217df285d8c285881470f0_1",
            "rs_68c1f2a0b7b48190a1d4f0a9c2f3e4d5068c1f2a0b7b4819",
            "item_01a22a7e37214df285d8c285881470f0",
            "item_01a22a7e37217df285d8c285881470f0_1",
            "item_0_resp_",
            "item_0_msg_1",
            "item_x_resp_1",
            "item__resp_1",
            "item_0",
            "item_AUsYHAGK6RFuFZvaL9Pne",
            "msg_",
            "item_",
            "",
        ] {
            assert!(!is_ours(other.as_bytes()), "{other}");
        }
        let ours = format!(r#"{{"id" : "rs_{REAL}_0"}}"#);
        assert!(stands_in(ours.as_bytes()));
        assert!(!stands_in(ours.replace("\"id\"", "\"text\"").as_bytes()));
        for cut in 0..ours.len() - 2 {
            // Nothing is read beyond the end.
            stands_in(&ours.as_bytes()[..cut]);
        }
    }

    #[test]
    fn an_item_that_was_made_here_tells_its_answer_and_no_other_does() {
        let ours = format!("resp_{REAL}");
        for kind in KINDS {
            let id = format!("{}{REAL}_12", std::str::from_utf8(kind).unwrap());
            assert_eq!(answer_of(&id).unwrap(), ours);
        }
        assert_eq!(answer_of(&format!("item_3_{ours}")).unwrap(), ours);
        assert_eq!(answer_of("item_3_resp_a_b").unwrap(), "resp_a_b");
        for other in [
            format!("item_3_conv_{REAL}"),
            format!("item_{REAL}"),
            ours,
            "msg_68c1f2a0b7b48190a1d4f0a9c2f3e4d5".to_owned(),
            String::new(),
        ] {
            assert_eq!(answer_of(&other), None, "{other}");
        }
    }

    /// They were looked for with hyphens while the gateway wrote none, and the test had made its own: so it looks at how
    /// the gateway writes them.
    #[test]
    fn the_gateway_stamps_answers_and_lists_items_with_ids_of_these_forms() {
        let gateway = |file: &str| {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/src/");
            std::fs::read_to_string(format!("{path}{file}")).unwrap()
        };
        let stamp = "request_id: Uuid::simple(request.id).to_string(),";
        assert!(gateway("bridge.rs").contains(stamp), "see `after_uuid`");
        let listed = r#"format!("item_{number}_{whole}")"#;
        assert!(
            gateway("turns/serve.rs").contains(listed),
            "see `is_listed`"
        );
    }
}
