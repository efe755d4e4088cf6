//! Ids of the items that the gateway makes in answers in Responses. A client sends them back with its history, and a vendor
//! that keeps items of its own may look for them: so they are known by how they look.

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
const KINDS: [&[u8]; 6] = [b"msg_", b"rs_", b"fc_", b"ctc_", b"tsc_", b"ws_"];

/// So long is the id of a request: a UUID of version 7 with its hyphens.
const REQUEST_ID: usize = 36;

/// Whether the id was made here: no vendor is known whose ids have a UUID of this version and a number behind it.
pub(crate) fn is_ours(id: &[u8]) -> bool {
    let rest = KINDS.iter().find_map(|kind| id.strip_prefix(*kind));
    let Some((request, place)) = rest.and_then(|rest| rest.split_at_checked(REQUEST_ID)) else {
        return false;
    };
    let is_request = request.iter().enumerate().all(|(at, letter)| match at {
        8 | 13 | 18 | 23 => *letter == b'-',
        14 => *letter == b'7',
        _ => matches!(letter, b'0'..=b'9' | b'a'..=b'f'),
    });
    let number = place.strip_prefix(b"_").unwrap_or_default();
    is_request && !number.is_empty() && number.iter().all(u8::is_ascii_digit)
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

    #[test]
    fn an_id_that_is_made_here_is_known_and_a_vendors_is_not() {
        let stamp = Stamp {
            request_id: "0192f3a4-5b6c-7d8e-9f00-112233445566".to_owned(),
            created: 0,
        };
        for kind in KINDS {
            let id = item_id(&stamp, std::str::from_utf8(kind).unwrap(), 12);
            assert!(is_ours(&id));
        }
        for other in [
            "msg_0192f3a4-5b6c-7d8e-9f00-112233445566",
            "msg_0192f3a4-5b6c-7d8e-9f00-112233445566_",
            "msg_0192f3a4-5b6c-7d8e-9f00-112233445566_1a",
            "msg_0192f3a4-5b6c-4d8e-9f00-112233445566_1",
            "resp_0192f3a4-5b6c-7d8e-9f00-112233445566_1",
            "0192f3a4-5b6c-7d8e-9f00-112233445566_1",
            "rs_68c1f2a0b7b48190a1d4f0a9c2f3e4d5068c1f2a0b7b4819",
            "msg_",
            "",
        ] {
            assert!(!is_ours(other.as_bytes()), "{other}");
        }
        let ours = r#"{"id" : "rs_0192f3a4-5b6c-7d8e-9f00-112233445566_0"}"#;
        assert!(stands_in(ours.as_bytes()));
        assert!(!stands_in(ours.replace("\"id\"", "\"text\"").as_bytes()));
        for cut in 0..ours.len() - 2 {
            // Nothing is read beyond the end.
            stands_in(&ours.as_bytes()[..cut]);
        }
    }
}
