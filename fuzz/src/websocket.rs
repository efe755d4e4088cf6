//! Responses over a WebSocket: any message is a request or a fault, any stream becomes JSON messages with exactly one end,
//! and what is remembered of them is the beginning of the next request. Towards vendors that have a WebSocket the request
//! is a message, and what they say is a stream again.
//!
//! The payload is the client's message, an empty line, and the vendor's stream.

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use tollgate_dialect::websocket::{
    Asking, Create, Heard, Memory, Messages, Refusal, Turn, warm_up,
};
use tollgate_dialect::{Operation, facts};

use crate::input::Input;
use crate::stream::{is_json, shown};

/// See the module.
pub fn check(data: &[u8]) {
    let Some(input) = Input::of(data) else { return };
    let end = input.payload.windows(2).position(|pair| pair == b"\n\n");
    let (message, stream) = input.payload.split_at(end.unwrap_or(input.payload.len()));
    let most = match input.bit(0, 0) {
        true => 64 << (input.byte(1) & 7),
        false => 16 << 20,
    };
    let memory = Memory::new(most);
    let Some((body, turn)) = begun(&memory, message) else {
        return;
    };
    let (out, turn, id) = answered(turn, &[stream], input.bit(0, 1));
    if !input.bit(0, 1) {
        let cut = Input::of(&[&data[..4], stream].concat())
            .map(|input| owned(&input.pieces()))
            .unwrap_or_default();
        let cut: Vec<&[u8]> = cut.iter().map(Vec::as_slice).collect();
        let (_, again) = begun(&memory, message).expect("as before");
        let (other, _, other_id) = answered(again, &cut, false);
        assert_eq!((&out, &id), (&other, &other_id), "another chunking");
    }
    asked_of_a_vendor(&body, &out, most);
    going_on(memory, turn, id, &body, most);
}

/// The same answer, told by a vendor over its own WebSocket: each message of it is one event, on lines of its own.
fn asked_of_a_vendor(body: &Bytes, told: &[Bytes], most: usize) {
    let mut asking = Asking::read(body.clone(), most).expect("a body is JSON");
    assert!(is_json(&asking.whole()));
    for message in told {
        if let Some(refusal) = Refusal::read(message) {
            assert!((400..600).contains(&refusal.status) && is_json(&refusal.body));
        }
        let mut event = Vec::new();
        match asking.hear(message, &mut event) {
            Ok(Heard::Event | Heard::Last) => {}
            Ok(Heard::Aside) | Err(_) => {
                assert!(event.is_empty());
                continue;
            }
        }
        let event = std::str::from_utf8(&event).expect("text");
        let event = event.strip_suffix("\n\n").expect("an event ends");
        let data = match event.split_once('\n') {
            Some((name, data)) => {
                assert!(name.starts_with("event: "), "{event}");
                data
            }
            None => event,
        };
        let data = data.strip_prefix("data: ").expect("data");
        assert!(
            !data.contains(['\n', '\r']) && is_json(data.as_bytes()),
            "{event}"
        );
    }
    if let Some(standing) = asking.ended() {
        let again = Asking::read(body.clone(), most).expect("as before");
        assert!(
            again
                .since(&standing)
                .is_none_or(|message| is_json(&message))
        );
    }
}

fn owned(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    pieces.iter().map(|piece| piece.to_vec()).collect()
}

fn begun(memory: &Memory, message: &[u8]) -> Option<(Bytes, Turn)> {
    let create = match Create::read(Bytes::copy_from_slice(message)) {
        Ok(create) => create,
        Err(fault) => {
            assert!(is_json(&fault.message()));
            return None;
        }
    };
    assert_eq!(create.size(), message.len());
    let (lane, model) = (create.lane().map(str::to_owned), create.model());
    match memory.begin(create) {
        Err(fault) => {
            assert!(is_json(&fault.message()));
            None
        }
        Ok((body, turn)) => {
            assert!(is_json(&body), "{}", shown(&body));
            assert_eq!(turn.lane(), lane.as_deref());
            for message in warm_up(&turn, "resp_1", &model, 1) {
                assert!(is_json(&message), "{}", shown(&message));
            }
            Some((body, turn))
        }
    }
}

fn answered(mut turn: Turn, pieces: &[&[u8]], whole: bool) -> (Vec<Bytes>, Turn, Option<String>) {
    let mut messages = Messages::default();
    let mut out = Vec::new();
    for piece in pieces {
        match whole {
            true => messages.whole(piece, &mut turn, &mut out),
            false => messages.push(piece, &mut turn, &mut out),
        }
    }
    messages.finish(&mut turn, &mut out);
    assert!(messages.is_ended());
    let ends = out.iter().map(|message| {
        assert!(is_json(message), "{}", shown(message));
        let Ok(event) = serde_json::from_slice::<Value>(message) else {
            // Numbers that no float holds.
            return None;
        };
        if let Some(lane) = turn.lane() {
            let begun = format!("{{\"stream_id\":\"{lane}\"");
            assert!(message.starts_with(begun.as_bytes()), "{event}");
        }
        let kind = event["type"].as_str().unwrap_or_default();
        Some(matches!(
            kind,
            "response.completed" | "response.incomplete" | "response.failed" | "error"
        ))
    });
    let ends: Vec<_> = ends.collect();
    if ends.iter().all(Option::is_some) {
        let at: Vec<_> = (0..ends.len())
            .filter(|at| ends[*at] == Some(true))
            .collect();
        assert_eq!(
            at,
            [ends.len() - 1],
            "exactly one end, and the last: {out:?}"
        );
    }
    (out, turn, messages.id())
}

fn names_another(body: &Bytes) -> bool {
    let document = tollgate_dialect::Document::parse(body.clone());
    document.is_ok_and(|document| {
        let named = document.get("previous_response_id");
        named.is_some_and(|id| id.starts_with(b"\""))
    })
}

/// The next request brings one item, and gets what was before it in front.
fn going_on(mut memory: Memory, turn: Turn, id: Option<String>, body: &Bytes, most: usize) {
    let Some(id) = id else {
        memory.fail(&turn);
        return;
    };
    memory.keep(turn, id.clone());
    let named = Value::from(id);
    let next = format!(
        r#"{{"type":"response.create","model":"m","store":false,"previous_response_id":{named},"input":[{{"new":1}}]}}"#
    );
    let create = Create::read(next.into()).expect("of our own writing");
    let Ok((next, _)) = memory.begin(create) else {
        // What goes on from an answer that is kept elsewhere is remembered there.
        assert!(
            most < 16 << 20 || names_another(body),
            "forgotten though there was room"
        );
        return;
    };
    let items = items(&next).unwrap_or_else(|| panic!("no list: {}", shown(&next)));
    assert_eq!(items.last().map(String::as_str), Some("{\"new\":1}"));
    assert!(next.len() <= most + 1_024, "{} bytes of {most}", next.len());
    if let Some(before) = self::items(body) {
        assert!(
            items.starts_with(&before),
            "{}\n→\n{}",
            shown(body),
            shown(&next)
        );
    }
    let next = tollgate_dialect::Document::parse(next);
    let next = next.and_then(|next| facts(&next, Operation::Responses));
    assert!(next.is_ok_and(|facts| facts.model == "m" && facts.stream));
}

/// The items of a body's input, as they stand.
fn items(body: &[u8]) -> Option<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        input: Vec<&'a RawValue>,
    }
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    Some(
        body.input
            .iter()
            .map(|item| item.get().to_owned())
            .collect(),
    )
}
