//! The table tells the truth about answers: for every row and each of its targets a case has a vendor say the field, in a
//! whole answer and in a stream.

mod told;

use serde_json::{Value, json};
use tollgate_dialect::Dialect;
use tollgate_dialect::bridge::Context;
use tollgate_dialect::bridge::loss::answer_rows;

use super::cases::{Case, Only, Outcome, cover, fails, read};
use super::plain::whole_of_stream;
use super::support::*;

fn cases(vendor: Dialect) -> Vec<Case> {
    read(match vendor {
        RESPONSES => include_str!("../../cases/answers/responses.json"),
        MESSAGES => include_str!("../../cases/answers/messages.json"),
        _ => include_str!("../../cases/answers/chat.json"),
    })
}

fn smallest(vendor: Dialect) -> Value {
    match vendor {
        RESPONSES => {
            json!({"id": "resp_theirs", "object": "response", "created_at": 5, "model": "theirs",
            "status": "completed", "output": [{"id": "msg_1", "type": "message", "role": "assistant",
                "status": "completed", "content": [{"type": "output_text", "text": "Hi", "annotations": []}]}],
            "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}})
        }
        MESSAGES => {
            json!({"id": "msg_theirs", "type": "message", "role": "assistant", "model": "theirs",
            "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 3, "output_tokens": 2}})
        }
        _ => {
            json!({"id": "chatcmpl-theirs", "object": "chat.completion", "created": 5, "model": "theirs",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})
        }
    }
}

fn asked(case: &Case, client: Dialect, vendor: Dialect) -> Context {
    let mut context = context(client, vendor);
    let asks = &case.asks;
    context.logprobs = asks.logprobs.unwrap_or(true);
    context.encrypted_reasoning = asks.encrypted.unwrap_or(true);
    context.readable_reasoning = asks.readable.unwrap_or(true);
    context.structured_tool.clone_from(&asks.structured);
    context
}

#[test]
fn every_row_of_answers_has_cases_for_what_it_says_and_every_case_a_row() {
    let wrong: Vec<_> = DIALECTS
        .into_iter()
        .flat_map(|vendor| cover(vendor, answer_rows(vendor), &cases(vendor)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_table_says_of_a_field_of_an_answer_becomes_of_it_whole_and_streamed() {
    let (mut seen, mut failed) = (0, 0);
    for vendor in DIALECTS {
        for case in cases(vendor) {
            for client in DIALECTS.into_iter().filter(|client| *client != vendor) {
                if let Some(outcome) = case.outcome(client) {
                    seen += 1;
                    failed += fails(|| check(&case, outcome, client, vendor));
                }
            }
        }
    }
    assert!(seen > 250, "{seen}");
    assert_eq!(failed, 0, "of {seen}");
}

/// What the client gets, whole or collected from its stream; or why it gets nothing.
type Got = Result<Value, String>;

fn check(case: &Case, outcome: &Outcome, client: Dialect, vendor: Dialect) {
    let context = asked(case, client, vendor);
    let streamed = |events: &[Value]| -> Got {
        let framed = told::framed(vendor, events);
        whole_of_stream(client, &stream(&context, framed.as_bytes()))
    };
    let title = format!("{} from {vendor:?} to {client:?}", case.row);
    if !case.events.is_empty() {
        let sent = Value::from(case.events.clone());
        let bare = case.without(&sent);
        let got = |sent: &Value| streamed(sent.as_array().unwrap());
        return judge(
            &format!("{title}, streamed"),
            outcome,
            &sent,
            [got(&sent), got(&bare)],
        );
    }
    let sent = case.body(smallest(vendor));
    let bare = case.without(&sent);
    let got = |sent: &Value| -> Got {
        let body = whole(&context, sent.to_string().as_bytes()).map_err(|error| error.message)?;
        Ok(serde_json::from_slice(&body).unwrap())
    };
    judge(&title, outcome, &sent, [got(&sent), got(&bare)]);
    if case.only == Some(Only::Whole) {
        return;
    }
    let got = |sent: &Value| streamed(&told::events(vendor, sent));
    judge(
        &format!("{title}, streamed"),
        outcome,
        &sent,
        [got(&sent), got(&bare)],
    );
}

fn judge(title: &str, outcome: &Outcome, sent: &Value, [with, without]: [Got; 2]) {
    match outcome {
        Outcome::Word(_) => {
            let with = with.unwrap_or_else(|why| panic!("{title} fails: {why}"));
            assert_eq!(Ok(with), without, "{title} is not dropped");
        }
        Outcome::Said(said) => {
            let with = with.unwrap_or_else(|why| panic!("{title} fails: {why}\n{sent:#}"));
            said.check(title, sent, &with);
        }
        Outcome::Fails(fails) => {
            let why = with.err().unwrap_or_else(|| panic!("{title} is an answer"));
            assert!(why.contains(&fails.fails), "{title}: {why}");
            assert!(
                without.is_ok(),
                "{title}: something else fails: {without:?}"
            );
        }
        Outcome::Refused(_) => panic!("{title}: answers are not refused"),
    }
}
