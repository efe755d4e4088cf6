//! Streams that leave out what marks their events, or some of the events, or say them twice: of a vendor that tells one thing
//! after the other nothing is lost and nothing is told twice.

use serde_json::Value;
use tollgate_dialect::Dialect;

use super::grammar::{self, End};
use super::plain;
use super::support::*;

/// Marks that are left out together: members, wherever in an event they stand.
const MARKS: [&[&str]; 11] = [
    &["output_index"],
    &["output_index", "id"],
    &["item_id"],
    &["item_id", "id"],
    &["output_index", "item_id"],
    &["output_index", "item_id", "id"],
    &["content_index", "summary_index"],
    &["index"],
    &["id"],
    &["index", "id"],
    &["sequence_number", "object", "created", "status", "role"],
];

/// Events that are left out, by how their type begins and ends. Others say the same.
const EVENTS: [(&str, &str); 8] = [
    ("response.created", ""),
    ("response.in_progress", ""),
    ("response.output_item.added", ""),
    ("response.output_item.done", ""),
    ("response.content_part", ""),
    ("response.reasoning_summary_part", ""),
    ("response.", "_text.done"),
    ("content_block_stop", ""),
];

/// What must be there once, and once only. Ids may be made anew.
#[derive(Debug, PartialEq)]
struct Told {
    end: End,
    text: String,
    refusal: String,
    reasoning: String,
    calls: Vec<(String, Value)>,
    ran: usize,
    pages: Vec<String>,
    stop: &'static str,
}

fn told(client: Dialect, vendor: Dialect, sent: &[u8]) -> Result<Told, String> {
    let out = stream(&context(client, vendor), sent);
    let end = grammar::check(client, &out).map_err(|wrong| format!("{wrong}\n{}", text(&out)))?;
    let told = plain::summary_of_stream(client, &out).map_err(|wrong| format!("{wrong:?}"))?;
    let calls = told.calls.into_iter();
    Ok(Told {
        end,
        text: told.text,
        refusal: told.refusal,
        reasoning: told.reasoning,
        calls: calls.map(|(_, name, input)| (name, input)).collect(),
        ran: told.ran.len(),
        pages: told.sources.into_iter().map(|source| source.url).collect(),
        stop: told.stop,
    })
}

fn without(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !names.contains(&name.as_str()));
            members.values_mut().for_each(|value| without(value, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| without(item, names)),
        _ => {}
    }
}

/// The stream with each of its events changed.
fn changed(stream: &[u8], change: impl Fn(&mut Value)) -> String {
    let lines = text(stream).lines().map(|line| {
        let data = line.strip_prefix("data: ");
        match data.and_then(|data| serde_json::from_str::<Value>(data).ok()) {
            Some(mut event) => {
                change(&mut event);
                format!("data: {event}\n")
            }
            None => format!("{line}\n"),
        }
    });
    lines.collect()
}

/// The stream without these events.
fn silent(stream: &[u8], begin: &str, end: &str) -> String {
    let events = text(stream).split_inclusive("\n\n").filter(|event| {
        let name = event.lines().find_map(|line| line.strip_prefix("event: "));
        !name.is_some_and(|name| name.starts_with(begin) && name.ends_with(end))
    });
    events.collect()
}

/// Whether the stream cannot be understood so: calls at once are told apart by their marks alone, and an announcement that
/// nothing else repeats is a call's only name.
fn is_needed(name: &str, left_out: &str) -> bool {
    match name {
        "tools-interleaved" => left_out.contains("index"),
        "no-done-events" => left_out.contains("output_item.added"),
        _ => false,
    }
}

#[test]
fn what_a_vendor_leaves_out_that_others_say_too_loses_nothing_and_repeats_nothing() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    let marks = MARKS.map(|names| (format!("{names:?}"), None, names));
    let events = EVENTS.map(|event| (format!("{event:?}"), Some(event), &[][..]));
    for fixture in fixtures().iter().filter(|fixture| fixture.streams) {
        for client in fixture.clients() {
            let whole = told(client, fixture.vendor, &fixture.bytes);
            for (left_out, event, names) in marks.iter().chain(&events) {
                let sent = match event {
                    Some((begin, end)) => silent(&fixture.bytes, begin, end),
                    None => changed(&fixture.bytes, |event| without(event, names)),
                };
                if sent.as_bytes() == fixture.bytes || is_needed(&fixture.name, left_out) {
                    continue;
                }
                let less = told(client, fixture.vendor, sent.as_bytes());
                compared += 1;
                if less != whole {
                    let (vendor, client) = (short(fixture.vendor), short(client));
                    let name = &fixture.name;
                    wrong.push(format!(
                        "{vendor} {name} to {client} without {left_out}:\n{whole:?}\n{less:?}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 800, "only {compared} were compared");
}

fn counted_from_one(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value.as_u64()) {
                    ("output_index" | "content_index" | "summary_index", Some(index)) => {
                        *value = (index + 1).into();
                    }
                    _ => counted_from_one(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(counted_from_one),
        _ => {}
    }
}

/// The last snapshot's items have no index, only a place.
#[test]
fn indices_that_begin_at_one_are_as_good_as_others() {
    let fixtures = fixtures();
    let of_responses = |fixture: &&Fixture| fixture.streams && fixture.vendor == RESPONSES;
    for fixture in fixtures.iter().filter(of_responses) {
        for client in fixture.clients() {
            for names in [&[][..], &["item_id", "id"]] {
                let sent = changed(&fixture.bytes, |event| {
                    counted_from_one(event);
                    without(event, names);
                });
                assert_eq!(
                    told(client, RESPONSES, sent.as_bytes()),
                    told(client, RESPONSES, &fixture.bytes),
                    "{} to {} without {names:?}",
                    fixture.name,
                    short(client)
                );
            }
        }
    }
}

/// The stream with every event twice but those that hold a piece of a text: nobody can tell a piece that was sent twice.
fn doubled(stream: &[u8]) -> String {
    let is_piece = |event: &str| match event.strip_prefix("event: ") {
        Some(named) => {
            let name = named.lines().next().unwrap_or_default();
            name.ends_with(".delta")
                || name.ends_with(".annotation.added")
                || name == "content_block_delta"
        }
        None => event.contains(r#""choices":[{"#) && !event.contains(r#""finish_reason":""#),
    };
    let events = text(stream).split_inclusive("\n\n");
    events
        .map(|event| event.repeat(if is_piece(event) { 1 } else { 2 }))
        .collect()
}

#[test]
fn events_that_a_vendor_sends_twice_are_told_once() {
    for fixture in fixtures().iter().filter(|fixture| fixture.streams) {
        for client in fixture.clients() {
            let sent = doubled(&fixture.bytes);
            assert_eq!(
                told(client, fixture.vendor, sent.as_bytes()),
                told(client, fixture.vendor, &fixture.bytes),
                "{} {} to {}",
                short(fixture.vendor),
                fixture.name,
                short(client)
            );
        }
    }
}
