//! What an answer says of itself: its model, what was asked for, its service tier.

use super::delta;
use crate::damage::{chunk, event, finish, message};
use crate::grammar::{self, End};
use crate::plain;
use crate::support::*;

#[test]
fn every_answer_names_the_model_that_was_asked_for() {
    for fixture in fixtures() {
        for client in fixture.clients() {
            let context = context(client, fixture.vendor);
            let out = if fixture.streams {
                stream(&context, &fixture.bytes)
            } else {
                whole(&context, &fixture.bytes).unwrap()
            };
            assert!(
                text(&out).contains(r#""model":"asked-model""#),
                "{}",
                fixture.name
            );
            assert!(!text(&out).contains("vendor-model"), "{}", fixture.name);
        }
    }
}

#[test]
fn a_response_repeats_its_request_as_the_client_wrote_it() {
    let raw = |text: &str| serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
    let mut context = context(RESPONSES, CHAT);
    context.echo = Some(Box::new(tollgate_dialect::bridge::Echo {
        members: vec![
            ("instructions", raw("\"Be  brief.\"")),
            ("tools", raw("[{\"type\":\"function\", \"name\":\"n\"}]")),
            ("temperature", raw("0.20")),
            ("store", raw("false")),
            ("metadata", raw("{\n\"a\":\r\n\"b\"}")),
        ],
    }));
    let sent = chunk(r#"{"content":"a"}"#) + &finish("stop");
    let out = stream(&context, sent.as_bytes());
    assert_eq!(grammar::check(RESPONSES, &out), Ok(End::Complete));
    for told in [
        "\"instructions\":\"Be  brief.\"",
        "\"tools\":[{\"type\":\"function\", \"name\":\"n\"}]",
        "\"temperature\":0.20",
        "\"store\":false",
        "\"metadata\":{ \"a\":  \"b\"}",
        "\"top_p\":1.0",
    ] {
        assert_eq!(
            text(&out).matches(told).count(),
            3,
            "{told}: at the beginning twice, and at the end"
        );
    }
}

#[test]
fn a_response_says_the_service_tier_that_served_it_and_not_the_one_that_was_asked_for() {
    let raw = |text: &str| serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
    let tier_of = |vendor, sent: &str| {
        let mut context = context(RESPONSES, vendor);
        context.echo = Some(Box::new(tollgate_dialect::bridge::Echo {
            members: vec![("service_tier", raw("\"flex\""))],
        }));
        let out = stream(&context, sent.as_bytes());
        // Nobody knows before the end.
        assert_eq!(text(&out).matches(r#""service_tier":"flex""#).count(), 2);
        let whole = plain::whole_of_stream(RESPONSES, &out).unwrap();
        whole["service_tier"].as_str().unwrap().to_owned()
    };
    let chat = |tier: &str| {
        event(&format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":"a"}}}}]{tier}}}"#
        )) + &finish("stop")
    };
    for (told, served) in [
        ("", "default"),
        (r#","service_tier":"priority""#, "priority"),
        (r#","service_tier":"of-our-own""#, "default"),
        (r#","service_tier":null"#, "default"),
    ] {
        assert_eq!(tier_of(CHAT, &chat(told)), served, "{told}");
    }
    let messages = |tier: &str| {
        event(&format!(
            r#"{{"type":"message_start","message":{{"id":"m","usage":{{"input_tokens":1,"output_tokens":1{tier}}}}}}}"#
        )) + &message(
            &[&delta(0, r#"{"type":"text_delta","text":"ok"}"#)],
            "end_turn",
        )
    };
    for (told, served) in [
        ("", "default"),
        (r#","service_tier":"standard""#, "default"),
        (r#","service_tier":"priority""#, "priority"),
    ] {
        assert_eq!(tier_of(MESSAGES, &messages(told)), served, "{told}");
    }
}
