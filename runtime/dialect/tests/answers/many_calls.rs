//! Answers of very many calls: as many as are read pass, more end in the failure of what is too large.

use std::fmt::Write as _;

use tollgate_dialect::Dialect;
use tollgate_dialect::bridge::Upstream;

use super::damage::{chunk, event, finish, message};
use super::plain;
use super::support::*;

/// As many calls as one answer may have.
const MOST: usize = 4_096;
const TOO_LARGE: &str = "larger than the gateway can hold";

/// Every client with every vendor of another dialect.
fn ways() -> impl Iterator<Item = (Dialect, Dialect)> {
    DIALECTS.into_iter().flat_map(|vendor| {
        let clients = DIALECTS.into_iter().filter(move |client| *client != vendor);
        clients.map(move |client| (client, vendor))
    })
}

/// The calls of a Chat delta or message.
fn chat_call(at: usize) -> String {
    format!(
        r#"{{"index":{at},"id":"c{at}","type":"function","function":{{"name":"n","arguments":"{{}}"}}}}"#
    )
}

fn item(at: usize) -> String {
    format!(
        r#"{{"id":"f{at}","type":"function_call","call_id":"c{at}","name":"n","arguments":"{{}}"}}"#
    )
}

fn block(at: usize) -> String {
    format!(r#"{{"type":"tool_use","id":"c{at}","name":"n","input":{{"a":1}}}}"#)
}

/// The event in which a vendor begins a call. None is ended before the answer is: each is looked for among all.
fn call(vendor: Dialect, at: usize) -> String {
    match vendor {
        CHAT => chunk(&format!(r#"{{"tool_calls":[{}]}}"#, chat_call(at))),
        RESPONSES => event(&format!(
            r#"{{"type":"response.output_item.added","output_index":{at},"item":{}}}"#,
            item(at)
        )),
        _ => event(&format!(
            r#"{{"type":"content_block_start","index":{at},"content_block":{}}}"#,
            block(at)
        )),
    }
}

fn end(vendor: Dialect) -> String {
    match vendor {
        CHAT => finish("tool_calls"),
        RESPONSES => event(r#"{"type":"response.completed","response":{"output":[]}}"#),
        _ => {
            let whole = message(&[], "tool_use");
            let (_, end) = whole.split_once("\n\n").unwrap();
            end.to_owned()
        }
    }
}

fn body(vendor: Dialect, calls: usize) -> String {
    let join = |call: fn(usize) -> String| {
        let mut joined = String::new();
        for at in 0..calls {
            write!(joined, "{}{}", if at > 0 { "," } else { "" }, call(at)).unwrap();
        }
        joined
    };
    match vendor {
        CHAT => format!(
            r#"{{"choices":[{{"index":0,"message":{{"tool_calls":[{}]}},"finish_reason":"tool_calls"}}]}}"#,
            join(chat_call)
        ),
        RESPONSES => format!(r#"{{"status":"completed","output":[{}]}}"#, join(item)),
        _ => format!(
            r#"{{"type":"message","content":[{}],"stop_reason":"tool_use"}}"#,
            join(block)
        ),
    }
}

#[test]
fn a_stream_of_very_many_calls_ends_with_the_first_that_is_too_many() {
    for (client, vendor) in ways() {
        let mut bridge = bridge(&context(client, vendor));
        let mut out = Vec::new();
        let mut taken = 0;
        while !bridge.is_ended() && taken < 100_000 {
            bridge.push(call(vendor, taken).as_bytes(), &mut out);
            taken += 1;
        }
        assert_eq!(taken, MOST + 1, "{vendor:?} to {client:?}");
        assert!(text(&out).contains(TOO_LARGE));
    }
}

#[test]
fn as_many_calls_as_are_read_pass() {
    for (client, vendor) in ways() {
        let mut bridge = bridge(&context(client, vendor));
        let mut out = Vec::new();
        for at in 0..MOST {
            bridge.push(call(vendor, at).as_bytes(), &mut out);
        }
        bridge.push(end(vendor).as_bytes(), &mut out);
        bridge.finish(&Upstream::Closed, &mut out);
        let told = plain::summary_of_stream(client, &out).unwrap();
        assert_eq!(told.calls.len(), MOST, "{vendor:?} to {client:?}");
        assert!(whole(&context(client, vendor), body(vendor, MOST).as_bytes()).is_ok());
    }
}

#[test]
fn very_many_calls_at_once_are_too_many() {
    for (client, vendor) in ways() {
        let context = context(client, vendor);
        let body = body(vendor, 100_000);
        let error = whole(&context, body.as_bytes()).unwrap_err();
        assert!(error.message.contains(TOO_LARGE), "{error:?}");
        let mut bridge = bridge(&context);
        let mut out = Vec::new();
        bridge.whole(body.as_bytes(), &mut out);
        assert!(bridge.is_ended());
        assert!(text(&out).contains(TOO_LARGE), "{vendor:?} to {client:?}");
        // What is too much is not written first.
        let told = text(&out).matches("c99999").count();
        assert_eq!(told, 0);
    }
}

/// A vendor, and an event of that number that says nothing.
type Silent = (Dialect, fn(usize) -> String);

#[test]
fn items_and_blocks_that_say_nothing_are_counted_too() {
    let nothing: [Silent; 3] = [
        (RESPONSES, |at| {
            event(&format!(
                r#"{{"type":"response.output_item.done","output_index":{at},"item":{{"id":"x{at}","type":"weather_call"}}}}"#
            ))
        }),
        (MESSAGES, |at| {
            event(&format!(
                r#"{{"type":"content_block_start","index":{at},"content_block":{{"type":"weather"}}}}"#
            ))
        }),
        (MESSAGES, |at| {
            event(&format!(
                r#"{{"type":"content_block_delta","index":{at},"delta":{{"type":"text_delta","text":"a"}}}}"#
            ))
        }),
    ];
    for (vendor, nothing) in nothing {
        let mut bridge = bridge(&context(CHAT, vendor));
        let mut out = Vec::new();
        let mut taken = 0;
        while !bridge.is_ended() && taken < 100_000 {
            bridge.push(nothing(taken).as_bytes(), &mut out);
            taken += 1;
        }
        assert!(taken <= 2 * MOST + 1, "{taken} of {vendor:?}");
        assert!(text(&out).contains(TOO_LARGE));
    }
}
