//! The table tells the truth about requests: for every row and each of its targets a case sends the field.

use serde_json::{Value, json};
use tollgate_dialect::bridge::loss::{Row, request_rows, vendor_rows};
use tollgate_dialect::bridge::{Abilities, Context, Target};
use tollgate_dialect::{ApiError, Dialect, ErrorKind};

use super::cases::{Case, Outcome, cover, fails, read};
use super::support::*;

fn cases(from: Dialect) -> Vec<Case> {
    read(match from {
        Dialect::OpenaiResponses => include_str!("../cases/requests/responses.json"),
        Dialect::AnthropicMessages => include_str!("../cases/requests/messages.json"),
        _ => include_str!("../cases/requests/chat.json"),
    })
}

fn vendors() -> Vec<Case> {
    read(include_str!("../cases/requests/vendors.json"))
}

fn smallest(from: Dialect) -> Value {
    match from {
        Dialect::OpenaiResponses => json!({"model": "asked", "input": "Go"}),
        Dialect::AnthropicMessages => {
            json!({"model": "asked", "max_tokens": 99, "messages": [{"role": "user", "content": "Go"}]})
        }
        _ => json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}]}),
    }
}

fn target(case: &Case, to: Dialect) -> Target<'static> {
    let mut target = able(to);
    target.model = "theirs";
    target.max_output_tokens = case.cap;
    if let Some(can) = &case.can {
        target.abilities = Abilities::from_names(can.iter().map(String::as_str));
    }
    target
}

#[test]
fn every_row_of_requests_has_cases_for_what_it_says_and_every_case_a_row() {
    let wrong: Vec<_> = DIALECTS
        .into_iter()
        .flat_map(|from| {
            let mut wrong = cover(from, request_rows(from), &cases(from));
            wrong.extend(cover(from, vendor_rows(), &vendors()));
            wrong
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_table_says_of_a_field_of_a_request_becomes_of_it() {
    let (mut seen, mut failed) = (0, 0);
    for from in DIALECTS {
        for case in cases(from).into_iter().chain(vendors()) {
            for to in others(from) {
                if let Some(outcome) = case.outcome(to) {
                    seen += 1;
                    failed += fails(|| check(&case, outcome, from, to));
                }
            }
        }
    }
    assert!(seen > 800, "{seen}");
    assert_eq!(failed, 0, "of {seen}");
}

/// What the answer's way back knows of the request.
fn remembered(context: &Context) -> Value {
    json!({
        "encrypted_reasoning": context.encrypted_reasoning,
        "readable_reasoning": context.readable_reasoning,
        "include_usage": context.include_usage,
        "logprobs": context.logprobs,
        "stop": context.stop,
    })
}

fn check(case: &Case, outcome: &Outcome, from: Dialect, to: Dialect) {
    let title = format!("{} from {from:?} to {to:?}", case.row);
    let to = target(case, to);
    let sent = case.body(smallest(from));
    let bare = case.without(&sent);
    let mut known = Value::Null;
    let mut made = |body: &Value| -> Result<Value, ApiError> {
        let bridged = bridged(from, &body.to_string(), &to)?;
        known = remembered(&bridged.context);
        Ok(serde_json::from_slice::<Value>(&bridged.body).unwrap())
    };
    let without = made(&bare);
    let with = made(&sent);
    let mut rows = request_rows(from).iter().chain(vendor_rows());
    let row = rows.find(|row| row.field == case.row);
    match outcome {
        Outcome::Word(_) => {
            let with = with.unwrap_or_else(|error| panic!("{title} is refused: {}", error.message));
            assert_eq!(with, without.unwrap(), "{title} is not dropped");
        }
        Outcome::Refused(refused) => {
            let error = with.err().unwrap_or_else(|| panic!("{title} gets through"));
            assert_eq!(error.kind, ErrorKind::Unsupported, "{title}: {error:?}");
            assert_eq!(error.param.as_deref(), Some(&*refused.refused), "{title}");
            assert!(
                error.message.contains(&refused.refused),
                "{title}: {error:?}"
            );
            let without = without
                .unwrap_or_else(|error| panic!("{title}: something else is refused: {error:?}"));
            neutral(case, row.unwrap(), &sent, &without, &mut made, &title);
        }
        Outcome::Said(said) => {
            let with = with.unwrap_or_else(|error| panic!("{title}: {error:?}\n{sent:#}"));
            said.check(&title, &sent, &with);
            for (name, value) in &said.context {
                assert_eq!(&known[name], value, "{title}: the way back knows {known:#}");
            }
            assert_eq!(
                without.is_ok_and(|without| without == with),
                said.same,
                "{title}: what is sent makes a difference, or does not:\n{with:#}"
            );
        }
        Outcome::Fails(_) => panic!("{title}: requests do not fail, they are refused"),
    }
}

/// What is refused is not, with the values that say nothing.
fn neutral(
    case: &Case,
    row: &Row,
    sent: &Value,
    without: &Value,
    made: &mut impl FnMut(&Value) -> Result<Value, ApiError>,
    title: &str,
) {
    for value in row.neutral {
        let mut body = sent.clone();
        *body.pointer_mut(&case.places()[0]).unwrap() = serde_json::from_str(value).unwrap();
        let got = made(&body).unwrap_or_else(|error| panic!("{title}: {value}: {error:?}"));
        assert_eq!(&got, without, "{title}: {value} says something");
    }
}
