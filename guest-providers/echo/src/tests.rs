//! What each dialect's clients rely on.

use tollgate_guest::json::Json;
use tollgate_guest::{Answer, Exchange, Manifest, Responder, testing};

use super::Echo;

const OPERATIONS: [&str; 3] = ["chat-completions", "responses", "messages"];

fn respond(operation: &str, streaming: bool, body: &str) -> Answer {
    testing::set_now(1_790_000_000_000);
    let call = testing::Call::new(operation)
        .model("echo")
        .streaming(streaming);
    Echo.respond(&call.view(), body.as_bytes().to_vec())
}

fn content_type(answer: &Answer) -> &str {
    let found = answer
        .headers
        .iter()
        .find(|(name, _)| name == "content-type");
    found.map_or("", |(_, value)| value)
}

fn whole(operation: &str, body: &str) -> Json {
    let answer = respond(operation, false, body);
    assert_eq!(
        (answer.status, content_type(&answer)),
        (200, "application/json")
    );
    Json::parse_bytes(&answer.body).expect("JSON")
}

/// The data of each event of a stream; `event:` lines are checked against the data's type on the way.
fn events(operation: &str, body: &str) -> Vec<Json> {
    let answer = respond(operation, true, body);
    assert!(content_type(&answer).starts_with("text/event-stream"));
    let text = String::from_utf8(answer.body).expect("UTF-8");
    assert!(text.ends_with("\n\n"), "the last event is complete");
    let mut events = Vec::new();
    for block in text.split_terminator("\n\n") {
        let (name, data) = match block.split_once("\ndata: ") {
            Some((name, data)) => (name.strip_prefix("event: "), data),
            None => (None, block.strip_prefix("data: ").expect("data")),
        };
        if data == "[DONE]" {
            events.push(Json::from("[DONE]"));
            continue;
        }
        let data = Json::parse(data).expect("JSON");
        assert_eq!(name, data.get("type").and_then(Json::as_str), "{block}");
        events.push(data);
    }
    events
}

fn text<'a>(of: &'a Json, pointer: &str) -> &'a str {
    of.at(pointer)
        .and_then(Json::as_str)
        .unwrap_or_else(|| panic!("no text at {pointer} in {of}"))
}

fn number(of: &Json, pointer: &str) -> u64 {
    of.at(pointer)
        .and_then(Json::as_u64)
        .unwrap_or_else(|| panic!("no number at {pointer} in {of}"))
}

fn types(events: &[Json]) -> Vec<&str> {
    let mut types: Vec<&str> = events.iter().map(|event| text(event, "/type")).collect();
    types.dedup();
    types
}

/// A request of a dialect in which the user says something.
fn saying(operation: &str, what: &str) -> String {
    let user = Json::object([("role", "user".into()), ("content", what.into())]);
    let member = if operation == "responses" {
        "input"
    } else {
        "messages"
    };
    Json::object([("model", "echo".into()), (member, vec![user].into())]).to_string()
}

#[test]
fn the_manifest_is_one_that_a_host_accepts() {
    assert_eq!(testing::check_manifest(&Echo.describe()), [""; 0]);
}

#[test]
fn there_is_never_anything_to_send() {
    assert!(
        Echo.prepare(&testing::Call::new("messages").view())
            .is_err()
    );
}

#[test]
fn every_dialect_answers_with_what_the_user_said() {
    let said = "Grüße, \"Welt\"!\n你好";
    let places = [
        "/choices/0/message/content",
        "/output/0/content/0/text",
        "/content/0/text",
    ];
    for (operation, place) in OPERATIONS.into_iter().zip(places) {
        let answer = whole(operation, &saying(operation, said));
        assert_eq!(text(&answer, place), said, "{operation}");
        assert_eq!(text(&answer, "/model"), "echo");
    }
}

#[test]
fn every_dialects_stream_carries_the_same_text_as_its_whole_answer() {
    let said = "one two  three\n你好 😀";
    let delta_of = |operation: &str, event: &Json| {
        let pointer = match operation {
            "chat-completions" => "/choices/0/delta/content",
            "responses" => "/delta",
            _ => "/delta/text",
        };
        event
            .at(pointer)
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    for operation in OPERATIONS {
        let events = events(operation, &saying(operation, said));
        let streamed: String = events
            .iter()
            .map(|event| delta_of(operation, event))
            .collect();
        assert_eq!(streamed, said, "{operation}");
    }
}

#[test]
fn a_chat_stream_follows_the_grammar() {
    let body =
        r#"{"messages":[{"role":"user","content":"a b"}],"stream_options":{"include_usage":true}}"#;
    let events = events("chat-completions", body);
    assert_eq!(text(&events[0], "/choices/0/delta/role"), "assistant");
    assert_eq!(text(&events[3], "/choices/0/finish_reason"), "stop");
    assert_eq!(events[3].at("/choices/0/delta"), Some(&Json::object([])));
    assert_eq!(events[4].at("/choices"), Some(&Json::Array(vec![])));
    assert!(number(&events[4], "/usage/total_tokens") > 2);
    assert_eq!(events[5].as_str(), Some("[DONE]"));
    assert_eq!(events.len(), 6);
    for chunk in &events[..4] {
        assert_eq!(chunk.get("usage"), Some(&Json::Null));
        assert_eq!(chunk.get("id"), events[4].get("id"));
    }
}

#[test]
fn a_chat_stream_without_include_usage_says_nothing_of_usage() {
    let events = events("chat-completions", &saying("chat-completions", "a"));
    assert!(events.iter().all(|event| event.get("usage").is_none()));
}

#[test]
fn a_responses_stream_follows_the_grammar() {
    let events = events("responses", &saying("responses", "a b"));
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(types(&events), expected);
    for (index, event) in events.iter().enumerate() {
        assert_eq!(number(event, "/sequence_number"), index as u64);
    }
    let last = events.last().expect("an event");
    assert_eq!(text(last, "/response/status"), "completed");
    assert!(number(last, "/response/usage/total_tokens") > 0);
    // Codex takes the text from the item's end and from nowhere else.
    let done = &events[events.len() - 2];
    assert_eq!(text(done, "/item/content/0/text"), "a b");
    assert_eq!(done.at("/item"), last.at("/response/output/0"));
    assert!(events[0].at("/response/usage").is_some_and(Json::is_null));
}

#[test]
fn a_messages_stream_follows_the_grammar() {
    let events = events("messages", &saying("messages", "a b"));
    let expected = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(types(&events), expected);
    assert!(number(&events[0], "/message/usage/input_tokens") > 0);
    let delta = &events[events.len() - 2];
    assert_eq!(text(delta, "/delta/stop_reason"), "end_turn");
    assert_eq!(number(delta, "/usage/output_tokens"), 2);
}

#[test]
fn a_tool_line_becomes_a_tool_call_in_every_dialect() {
    let said = "please\n!tool shell {\"cmd\": \"ls -l\"}\nthanks";
    let chat = whole("chat-completions", &saying("chat-completions", said));
    assert_eq!(
        text(&chat, "/choices/0/message/tool_calls/0/function/name"),
        "shell"
    );
    assert_eq!(
        text(&chat, "/choices/0/message/tool_calls/0/function/arguments"),
        r#"{"cmd": "ls -l"}"#
    );
    assert_eq!(text(&chat, "/choices/0/finish_reason"), "tool_calls");

    let responses = whole("responses", &saying("responses", said));
    assert_eq!(text(&responses, "/output/0/type"), "function_call");
    assert_eq!(
        text(&responses, "/output/0/arguments"),
        r#"{"cmd": "ls -l"}"#
    );

    let messages = whole("messages", &saying("messages", said));
    assert_eq!(text(&messages, "/content/0/type"), "tool_use");
    assert_eq!(text(&messages, "/content/0/input/cmd"), "ls -l");
    assert_eq!(text(&messages, "/stop_reason"), "tool_use");
}

#[test]
fn a_streamed_tool_call_can_be_put_together_again() {
    let said = "!tool shell {\"cmd\": \"ls -l\"}";
    let joined = |operation: &str, pointer: &str| -> String {
        let events = events(operation, &saying(operation, said));
        let pieces = events
            .iter()
            .filter_map(|event| event.at(pointer).and_then(Json::as_str));
        pieces.collect()
    };
    let input = r#"{"cmd": "ls -l"}"#;
    assert_eq!(
        joined(
            "chat-completions",
            "/choices/0/delta/tool_calls/0/function/arguments"
        ),
        input
    );
    assert_eq!(joined("responses", "/delta"), input);
    assert_eq!(joined("messages", "/delta/partial_json"), input);
    let chat = events("chat-completions", &saying("chat-completions", said));
    assert_eq!(
        text(&chat[0], "/choices/0/delta/tool_calls/0/function/name"),
        "shell"
    );
    assert!(text(&chat[0], "/choices/0/delta/tool_calls/0/id").starts_with("call_"));
    assert!(chat[1].at("/choices/0/delta/tool_calls/0/id").is_none());
}

#[test]
fn a_free_form_tool_in_a_namespace_is_called_as_it_was_declared() {
    let body = r#"{"input":[
        {"type":"additional_tools","role":"developer","tools":[
            {"type":"namespace","name":"functions","tools":[{"type":"custom","name":"exec"}]}]},
        {"role":"user","content":[{"type":"input_text","text":"!tool exec text(1 + 1);"}]}]}"#;
    let answer = whole("responses", body);
    assert_eq!(text(&answer, "/output/0/type"), "custom_tool_call");
    assert_eq!(text(&answer, "/output/0/input"), "text(1 + 1);");
    assert_eq!(text(&answer, "/output/0/namespace"), "functions");
}

#[test]
fn what_only_looks_like_a_tool_line_is_text() {
    for said in [
        "!tool",
        "!tool shell not json",
        "say !tool shell {}",
        "!tools shell {}",
    ] {
        let answer = whole("messages", &saying("messages", said));
        assert_eq!(text(&answer, "/content/0/text"), said);
    }
}

#[test]
fn a_tools_result_is_answered_with_its_text() {
    let cases = [
        (
            "chat-completions",
            "/choices/0/message/content",
            r#"{"messages":[{"role":"user","content":"!tool t {}"},{"role":"assistant","content":null,"tool_calls":[]},
                {"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"done"}]}]}"#,
        ),
        (
            "responses",
            "/output/0/content/0/text",
            r#"{"input":[{"role":"user","content":"!tool t {}"},{"type":"function_call","name":"t","arguments":"{}"},
                {"type":"function_call_output","call_id":"c","output":"done"}]}"#,
        ),
        (
            "responses",
            "/output/0/content/0/text",
            r#"{"input":[{"type":"custom_tool_call_output","call_id":"c",
                "output":[{"type":"input_text","text":"done"}]}]}"#,
        ),
        (
            "messages",
            "/content/0/text",
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"<system-reminder>x</system-reminder>"},
                {"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"done"}]}]},
                {"role":"system","content":"be brief"}]}"#,
        ),
    ];
    for (operation, place, body) in cases {
        assert_eq!(text(&whole(operation, body), place), "done", "{operation}");
    }
}

#[test]
fn what_a_client_puts_beside_the_users_words_is_not_echoed() {
    let body = r##"{"messages":[
        {"role":"user","content":[{"type":"text","text":"<system-reminder>\nsecret\n</system-reminder>"},
            {"type":"text","text":"hello"}]},
        {"role":"system","content":[{"type":"text","text":"# Environment"}]}]}"##;
    assert_eq!(text(&whole("messages", body), "/content/0/text"), "hello");
    let codex = r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"<environment_context/>"}]},
        {"role":"user","content":[{"type":"input_text","text":"hello"}]}]}"#;
    assert_eq!(
        text(&whole("responses", codex), "/output/0/content/0/text"),
        "hello"
    );
}

#[test]
fn an_output_cap_is_kept_and_said() {
    let chat =
        r#"{"messages":[{"role":"user","content":"one two three"}],"max_completion_tokens":2}"#;
    let answer = whole("chat-completions", chat);
    assert_eq!(text(&answer, "/choices/0/message/content"), "one two ");
    assert_eq!(text(&answer, "/choices/0/finish_reason"), "length");
    assert_eq!(number(&answer, "/usage/completion_tokens"), 2);

    let responses = r#"{"input":"one two three","max_output_tokens":1}"#;
    let events = events("responses", responses);
    let last = events.last().expect("an event");
    assert_eq!(text(last, "/type"), "response.incomplete");
    assert_eq!(
        text(last, "/response/incomplete_details/reason"),
        "max_output_tokens"
    );

    let messages = r#"{"messages":[{"role":"user","content":"one two three"}],"max_tokens":1}"#;
    assert_eq!(
        text(&whole("messages", messages), "/stop_reason"),
        "max_tokens"
    );
}

#[test]
fn usage_grows_with_the_conversation_and_counts_as_count_tokens_does() {
    let short = saying("messages", "one two three");
    let long = r#"{"system":"be brief","messages":[{"role":"user","content":"one two three"},
        {"role":"assistant","content":"ok"},{"role":"user","content":"four five"}],
        "tools":[{"name":"shell","description":"runs a command"}]}"#;
    let input = |body: &str| number(&whole("messages", body), "/usage/input_tokens");
    assert!(input(long) > input(&short));
    assert_eq!(
        number(&whole("count-tokens", long), "/input_tokens"),
        input(long)
    );
}

#[test]
fn a_picture_is_not_counted_by_its_letters() {
    let picture = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"image","source":{{"data":"{}"}}}}]}}]}}"#,
        "A".repeat(100_000)
    );
    assert!(number(&whole("count-tokens", &picture), "/input_tokens") < 100);
}

#[test]
fn embeddings_have_the_asked_number_of_dimensions() {
    let answer = whole("embeddings", r#"{"input":["a","b"],"dimensions":8}"#);
    assert_eq!(
        answer
            .at("/data/1/embedding")
            .and_then(Json::as_array)
            .map(<[Json]>::len),
        Some(8)
    );
    assert_eq!(number(&answer, "/usage/prompt_tokens"), 2);
    let base64 = whole(
        "embeddings",
        r#"{"input":"a","encoding_format":"base64","dimensions":3}"#,
    );
    assert_eq!(text(&base64, "/data/0/embedding").len(), 16);
}

#[test]
fn a_body_that_is_wrong_is_refused_in_the_dialects_words() {
    for body in ["", "{", "[1]", "\u{0}"] {
        for operation in OPERATIONS {
            let answer = respond(operation, true, body);
            let error = Json::parse_bytes(&answer.body).expect("JSON");
            assert_eq!(answer.status, 400);
            assert_eq!(text(&error, "/error/type"), "invalid_request_error");
            assert_eq!(error.get("type").is_some(), operation == "messages");
        }
    }
    assert_eq!(respond("embeddings", false, r#"{"input":7}"#).status, 400);
}

#[test]
fn odd_but_valid_bodies_are_answered() {
    for body in [
        "{}",
        r#"{"messages":[]}"#,
        r#"{"messages":"x"}"#,
        r#"{"messages":[1,null]}"#,
        r#"{"input":""}"#,
    ] {
        for operation in OPERATIONS {
            assert_eq!(
                respond(operation, false, body).status,
                200,
                "{operation} {body}"
            );
            assert_eq!(
                respond(operation, true, body).status,
                200,
                "{operation} {body}"
            );
        }
    }
}

#[test]
fn a_long_text_is_streamed_in_a_bounded_number_of_events() {
    let said = "word ".repeat(5000);
    let events = events("messages", &saying("messages", &said));
    assert!(events.len() < 220, "{}", events.len());
}
