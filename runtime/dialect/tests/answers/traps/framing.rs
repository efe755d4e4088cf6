//! How vendors frame their events, and what stands between them.

use super::delta;
use crate::damage::{chunk, event, failed, finish, message, told};
use crate::grammar::{self, End};
use crate::support::*;

#[test]
fn lines_may_end_in_cr_lf_and_be_cut_between_the_two() {
    for fixture in fixtures().iter().filter(|fixture| fixture.streams) {
        let crlf = text(&fixture.bytes).replace('\n', "\r\n");
        for client in fixture.clients() {
            let context = context(client, fixture.vendor);
            let expected = stream(&context, &fixture.bytes);
            assert!(stream(&context, crlf.as_bytes()) == expected);
            assert!(pieces(&context, crlf.as_bytes().chunks(1)) == expected);
        }
    }
}

#[test]
fn frames_may_have_ids_statuses_and_no_names() {
    let sent = "id:1\n:HTTP_STATUS/200\ndata:{\"type\":\"response.created\",\"response\":{}}\n\n"
        .to_owned()
        + "id:2\nevent:response.output_text.delta\n:HTTP_STATUS/200\ndata:{\"output_index\":0,\"content_index\":0,\"delta\":\"ok\"}\n\n"
        + "id:3\ndata:{\"type\":\"response.completed\",\"response\":{}}\n\n";
    for client in [CHAT, MESSAGES] {
        assert_eq!(told(client, RESPONSES, &sent).text, "ok");
    }
}

#[test]
fn a_repeated_message_start_begins_nothing_and_a_second_message_is_a_failure() {
    let start = event(r#"{"type":"message_start","message":{"id":"m"}}"#);
    let text_delta = delta(0, r#"{"type":"text_delta","text":"ok"}"#);
    let sent = start.clone() + &message(&[&text_delta], "end_turn");
    assert_eq!(told(CHAT, MESSAGES, &sent).text, "ok");
    let again = start.clone() + &event(&text_delta) + &message(&[], "end_turn");
    assert_eq!(told(CHAT, MESSAGES, &again).text, "ok");
    let other = start
        + &event(&text_delta)
        + &event(r#"{"type":"message_start","message":{"id":"other"}}"#);
    assert!(failed(CHAT, MESSAGES, &other).contains("second message"));
}

#[test]
fn pings_stand_between_events_and_are_seen_by_nobody() {
    for (client, ping) in [(MESSAGES, "event: ping\n"), (RESPONSES, ": "), (CHAT, ": ")] {
        let vendor = if client == CHAT { MESSAGES } else { CHAT };
        let sent = if vendor == CHAT {
            chunk(r#"{"content":"a"}"#) + &finish("stop")
        } else {
            message(
                &[&delta(0, r#"{"type":"text_delta","text":"a"}"#)],
                "end_turn",
            )
        };
        let mut bridge = bridge(&context(client, vendor));
        let mut out = Vec::new();
        for byte in sent.as_bytes().chunks(1) {
            bridge.push(byte, &mut out);
            if !bridge.is_ended() {
                out.extend_from_slice(tollgate_dialect::bridge::sign_of_life(client));
            }
        }
        assert_eq!(grammar::check(client, &out), Ok(End::Complete));
        assert!(text(&out).contains(ping));
    }
}

/// The gateway gives its own signs of life while nothing comes of the bridge: so a vendor's must make no bytes, and hold
/// back none.
#[test]
fn a_vendors_sign_of_life_makes_no_bytes_so_that_the_gateway_knows_its_client_waits() {
    let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    for client in [CHAT, RESPONSES] {
        let sent = message(
            &[&delta(0, r#"{"type":"text_delta","text":"a"}"#)],
            "end_turn",
        );
        let mut bridge = bridge(&context(client, MESSAGES));
        let mut out = Vec::new();
        for event in sent.split_inclusive("\n\n") {
            bridge.push(event.as_bytes(), &mut out);
            let before = out.len();
            for sign in [ping, ": keep-alive\n\n"] {
                bridge.push(sign.as_bytes(), &mut out);
            }
            assert_eq!(out.len(), before);
        }
        assert_eq!(grammar::check(client, &out), Ok(End::Complete));
    }
}

#[test]
fn vendors_pings_are_not_passed_on() {
    let sent = message(
        &[
            r#"{"type":"ping"}"#,
            &delta(0, r#"{"type":"text_delta","text":"a"}"#),
        ],
        "end_turn",
    );
    assert_eq!(told(CHAT, MESSAGES, &sent).text, "a");
}
