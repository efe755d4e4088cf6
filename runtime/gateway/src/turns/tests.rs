//! What is kept is found, by its own account, until it expires; what goes on finds what came before.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tollgate_dialect::{Document, ErrorKind};
use tollgate_governance::AccountId;
use tollgate_store::{DiskStore, Durability, MemoryStore};
use uuid::Uuid;

use super::serve::begin;
use super::*;

const NOW: u64 = 1_760_000_000_000;
const LATER: u64 = NOW + 1_000;

fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

fn here(input: &str, response: &str) -> Record {
    Record {
        account: account(1),
        expires_ms: LATER,
        tokens: 12,
        kept: Kept::Here {
            input: input.to_owned(),
            response: response.to_owned(),
        },
    }
}

fn turns() -> Turns {
    Turns::open(Arc::new(MemoryStore::default()), &[7; 32]).unwrap()
}

fn document(body: &Value) -> Document {
    Document::parse(body.to_string().into()).unwrap()
}

fn input_of(document: &Document) -> Value {
    serde_json::from_slice(document.get("input").unwrap()).unwrap()
}

#[test]
fn a_turn_is_found_by_its_own_account_until_it_expires_before_and_after_it_was_written_and_a_restart()
 {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let store = DiskStore::open(folder.path(), Durability::Process).unwrap();
        Turns::open(Arc::new(store), &[7; 32]).unwrap()
    };
    let record = here(r#"[{"role":"user","content":"a secret plan"}]"#, "{}");
    let kept = open();
    kept.keep("resp_1", record.clone());
    let check = |kept: &Turns| {
        assert_eq!(*kept.find("resp_1", account(1), NOW).unwrap(), record);
        assert!(kept.find("resp_1", account(2), NOW).is_none(), "another's");
        assert!(kept.find("resp_1", account(1), LATER).is_none(), "expired");
        assert!(kept.find("resp_2", account(1), NOW).is_none());
        assert!(kept.find("", account(1), NOW).is_none());
    };
    check(&kept);
    kept.close();
    check(&kept);
    drop(kept);
    let kept = open();
    check(&kept);
    assert_eq!(kept.expire(NOW).unwrap(), 0);
    assert_eq!(kept.expire(LATER).unwrap(), 1);
    assert!(kept.find("resp_1", account(1), NOW).is_none());
    kept.keep("resp_3", record.clone());
    kept.forget("resp_3");
    assert!(kept.find("resp_3", account(1), NOW).is_none());
    kept.close();
    assert!(kept.find("resp_3", account(1), NOW).is_none());
    drop(kept);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.metadata().unwrap().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            assert!(!bytes.windows(11).any(|part| part == b"secret plan"));
        }
    }
}

#[test]
fn a_request_gets_what_came_before_in_front_of_its_own_input() {
    let kept = turns();
    let answer = json!({ "id": "resp_1", "output": [{ "type": "message", "role": "assistant", "content": [] }] });
    kept.keep(
        "resp_1",
        here(
            r#"[{"role":"user","content":"first"}]"#,
            &answer.to_string(),
        ),
    );
    for (own, items) in [
        (
            json!("second"),
            vec![json!({ "type": "message", "role": "user", "content": "second" })],
        ),
        (
            json!([{ "type": "function_call_output", "call_id": "c", "output": "x" }]),
            vec![json!({ "type": "function_call_output", "call_id": "c", "output": "x" })],
        ),
    ] {
        let body =
            json!({ "model": "m", "input": own, "previous_response_id": "resp_1", "store": true });
        let mut document = document(&body);
        let thread = resume(&kept, account(1), &mut document, true, NOW).unwrap();
        let thread = thread.unwrap();
        assert_eq!(thread.previous.as_deref(), Some("resp_1"));
        assert!(thread.conversation.is_none() && thread.held == Held::Here);
        let mut whole = vec![
            json!({ "role": "user", "content": "first" }),
            answer["output"][0].clone(),
        ];
        whole.extend(items);
        assert_eq!(input_of(&document), Value::from(whole));
        assert!(document.get("previous_response_id").is_none());
        assert_eq!(document.get("store"), Some(&b"true"[..]));
    }
    let mut plain = document(&json!({ "model": "m", "input": "x", "previous_response_id": null }));
    let thread = resume(&kept, account(1), &mut plain, true, NOW).unwrap();
    assert!(thread.is_none());
}

#[test]
fn another_accounts_answer_and_one_that_no_vendor_has_are_equally_not_found() {
    let kept = turns();
    kept.keep("resp_1", here("[]", r#"{"output":[]}"#));
    kept.keep(
        "conv_1",
        Record {
            kept: Kept::Conversation {
                created: 1,
                metadata: "{}".to_owned(),
                head: None,
            },
            ..here("", "")
        },
    );
    for (param, known, never) in [
        ("previous_response_id", "resp_1", "resp_9"),
        ("conversation", "conv_1", "conv_9"),
    ] {
        let ask = |id: &str, of: u128, now_ms: u64| {
            let body = json!({ "model": "m", "input": "x", param: id });
            let mut document = document(&body);
            let outcome = resume(&kept, account(of), &mut document, true, now_ms);
            assert!(!document.is_modified(), "a vendor is to see it as it came");
            outcome
        };
        let foreign = ask(known, 2, NOW).unwrap_err();
        // Expired or not, it stays another's.
        assert!(ask(known, 2, LATER).is_err());
        assert_eq!(foreign.kind, ErrorKind::TurnNotFound);
        assert_eq!(foreign.param.as_deref(), Some(param));
        // What was never seen here a vendor may have, as it may what is forgotten here.
        for (id, of, now_ms) in [(never, 2, NOW), (known, 1, LATER)] {
            let thread = ask(id, of, now_ms).unwrap().unwrap();
            let unseen = Held::Unseen {
                param,
                id: id.to_owned(),
            };
            assert_eq!(thread.held, unseen);
            assert_eq!(
                foreign.message.replace(known, "x"),
                thread.not_found("m").message.replace(id, "x")
            );
        }
    }
    let id = Asked::Response("resp_1".to_owned());
    for method in [Method::GET, Method::DELETE] {
        let error = serve(&kept, account(2), &id, &method, "", NOW).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AnswerNotFound);
    }
    assert!(
        kept.find("resp_1", account(1), NOW).is_some(),
        "deleted by another"
    );
}

#[test]
fn what_the_vendor_keeps_stays_named_and_binds_to_its_upstream() {
    let kept = turns();
    let there = Record {
        kept: Kept::There {
            upstream: "main".to_owned(),
        },
        ..here("", "")
    };
    kept.keep("resp_1", there);
    let body = json!({ "model": "m", "input": "x", "previous_response_id": "resp_1" });
    let mut document = document(&body);
    let thread = resume(&kept, account(1), &mut document, true, NOW)
        .unwrap()
        .unwrap();
    assert_eq!(thread.held, Held::At("main".to_owned()));
    assert_eq!(thread.tokens, 12);
    assert!(!document.is_modified());
}

#[test]
fn a_conversation_begins_with_its_items_and_both_names_at_once_are_refused() {
    let kept = turns();
    let items = json!({ "items": [{ "role": "user", "content": "hi" }], "metadata": { "a": "b" } });
    let made = begin(
        &kept,
        account(1),
        Uuid::from_u128(5),
        items.to_string().as_bytes(),
        NOW,
        LATER,
    );
    let made: Value = serde_json::from_slice(&made.unwrap()).unwrap();
    assert_eq!(made["metadata"]["a"], "b");
    let id = made["id"].as_str().unwrap().to_owned();
    for named in [json!(id), json!({ "id": id })] {
        let mut document = document(&json!({ "model": "m", "input": "x", "conversation": named }));
        let thread = resume(&kept, account(1), &mut document, true, NOW)
            .unwrap()
            .unwrap();
        assert_eq!(thread.conversation.as_deref(), Some(&*id));
        assert_eq!(input_of(&document)[0]["content"], "hi");
        assert!(document.get("conversation").is_none());
    }
    let both =
        json!({ "model": "m", "input": "x", "conversation": id, "previous_response_id": "y" });
    let error = resume(&kept, account(1), &mut document(&both), true, NOW).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    let array = json!({ "model": "m", "input": "x", "conversation": [id] });
    let error = resume(&kept, account(1), &mut document(&array), true, NOW).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("conversation"));
}

#[test]
fn a_conversation_is_begun_with_an_object_or_with_nothing() {
    let kept = turns();
    let begun = |body: &str| {
        let id = Uuid::from_u128(6);
        begin(&kept, account(1), id, body.as_bytes(), NOW, LATER)
    };
    for body in ["", " \n", "{}", r#" {"items":null} "#] {
        assert!(begun(body).is_ok(), "{body:?}");
    }
    for body in ["[]", "[[]]", "[null,null]", "null", "7", "\"x\"", " [] "] {
        let error = begun(body).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{body:?}");
        let said = "the body must be a JSON object";
        assert!(error.message.contains(said), "{body}: {}", error.message);
    }
}

/// SDKs do not look whether it is there.
#[test]
fn an_input_item_is_listed_with_all_that_its_type_has_and_nothing_of_it_is_changed() {
    let kept = turns();
    let items = json!([
        { "role": "user", "content": "short" },
        { "role": "assistant", "content": [{ "type": "output_text", "text": "said" }] },
        { "role": "user", "content": [{ "type": "input_image", "image_url": "data:," }] },
        { "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" },
        { "type": "function_call_output", "call_id": "c", "output": "o", "status": "incomplete" },
        { "type": "reasoning", "id": "rs_1", "summary": [] },
    ]);
    kept.keep("resp_1", here(&items.to_string(), "{}"));
    let asked = Asked::InputItems("resp_1".to_owned());
    let served = serve(&kept, account(1), &asked, &Method::GET, "order=asc", NOW);
    let listed: Value = serde_json::from_slice(&served.unwrap().1).unwrap();
    let id = |number: u32| format!("item_{number}_resp_1");
    let expected = json!([
        { "type": "message", "id": id(0), "status": "completed", "role": "user",
          "content": [{ "type": "input_text", "text": "short" }] },
        { "type": "message", "id": id(1), "status": "completed", "role": "assistant",
          "content": [{ "type": "output_text", "text": "said", "annotations": [] }] },
        { "type": "message", "id": id(2), "status": "completed", "role": "user",
          "content": [{ "type": "input_image", "image_url": "data:,", "detail": "auto" }] },
        { "type": "function_call", "id": id(3), "status": "completed", "call_id": "c", "name": "f", "arguments": "{}" },
        { "type": "function_call_output", "id": id(4), "status": "incomplete", "call_id": "c", "output": "o" },
        { "type": "reasoning", "id": "rs_1", "summary": [] },
    ]);
    assert_eq!(listed["data"], expected);
}

#[test]
fn input_items_are_listed_in_pages() {
    let kept = turns();
    let items: Vec<Value> = (0..30)
        .map(|number| json!({ "role": "user", "content": number.to_string() }))
        .collect();
    kept.keep("resp_1", here(&Value::from(items).to_string(), "{}"));
    let page = |query: &str| {
        let asked = Asked::InputItems("resp_1".to_owned());
        let served = serve(&kept, account(1), &asked, &Method::GET, query, NOW);
        served.map(|(status, body)| {
            assert_eq!(status, StatusCode::OK);
            serde_json::from_slice::<Value>(&body).unwrap()
        })
    };
    let first = page("").unwrap();
    assert_eq!(first["data"].as_array().unwrap().len(), 20);
    assert_eq!(first["data"][0]["content"][0]["text"], "29");
    assert_eq!(first["has_more"], true);
    let last = first["last_id"].as_str().unwrap();
    let second = page(&format!("after={last}&limit=100")).unwrap();
    assert_eq!(second["data"].as_array().unwrap().len(), 10);
    assert_eq!(second["has_more"], false);
    assert_eq!(
        page("order=asc&limit=1").unwrap()["data"][0]["content"][0]["text"],
        "0"
    );
    for wrong in ["limit=0", "limit=x", "order=up", "after=nobody"] {
        assert_eq!(
            page(wrong).unwrap_err().kind,
            ErrorKind::InvalidRequest,
            "{wrong}"
        );
    }
}

#[test]
fn in_a_conversation_one_answer_is_added_at_a_time_and_only_its_own_account_is_told_to_wait() {
    let kept = turns();
    for (id, of) in [("conv_1", 1), ("conv_2", 2)] {
        let conversation = Kept::Conversation {
            created: 1,
            metadata: "{}".to_owned(),
            head: None,
        };
        let record = Record {
            account: account(of),
            kept: conversation,
            ..here("", "")
        };
        kept.keep(id, record);
    }
    let ask = |id: &str, of: u128, answers: bool| {
        let body = json!({ "model": "m", "input": "x", "conversation": id });
        let mut document = document(&body);
        resume(&kept, account(of), &mut document, answers, NOW)
    };
    let running = ask("conv_1", 1, true).unwrap();
    let refused = ask("conv_1", 1, true);
    assert!(is_locked(&refused));
    let refused = refused.unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("conversation"));
    // Counting adds nothing.
    assert!(ask("conv_1", 1, false).is_ok());
    // To others it is not there, locked or not, and nobody gets in its way by asking for it.
    for _ in 0..2 {
        let error = ask("conv_1", 2, true).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TurnNotFound);
        let error = ask("conv_2", 1, true).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TurnNotFound);
    }
    assert!(ask("conv_2", 2, true).is_ok());
    drop(running);
    assert!(ask("conv_1", 1, true).is_ok());
}

/// Ids of requests as a running gateway makes them, the later the greater.
fn request_id(number: usize) -> String {
    format!("01a22a7e37217df285d8{number:012x}")
}

fn item(kind: &str, request: usize, place: usize) -> String {
    format!("{kind}_{}_{place}", request_id(request))
}

fn to(id: &str) -> Value {
    json!({ "type": "item_reference", "id": id })
}

fn message(id: &str, text: &str) -> Value {
    json!({ "id": id, "type": "message", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": text, "annotations": [] }] })
}

/// Keeps an answer of account 1.
fn keep(kept: &Turns, request: usize, input: &Value, output: &Value) {
    let response = json!({ "output": output }).to_string();
    let id = format!("resp_{}", request_id(request));
    while !kept.keep(&id, here(&input.to_string(), &response)) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

const MIB: usize = 1 << 20;

#[test]
fn a_reference_becomes_the_item_of_the_kept_answer_and_what_was_not_made_here_stays() {
    let kept = turns();
    let (thought, text, call) = (item("rs", 1, 0), item("msg", 1, 1), item("fc", 1, 2));
    let output = json!([
        { "id": thought, "type": "reasoning", "summary": [], "encrypted_content": "tg1.sealed" },
        message(&text, "said"),
        { "id": call, "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" },
    ]);
    let own_id = json!({ "id": "msg_the_clients_own", "role": "user", "content": "named" });
    let first = json!({ "role": "user", "content": "first" });
    keep(&kept, 1, &json!([first, to(&text), own_id]), &output);
    let listed = format!("item_0_resp_{}", request_id(1));
    let result = json!({ "type": "function_call_output", "call_id": "c", "output": "x" });
    let vendors = to("msg_68c1f2a0b7b48190a1d4f0a9c2f3e4d5");
    let in_conversation = to(&format!("item_0_conv_{}", request_id(1)));
    let quoted = json!({ "role": "user", "content": to(&text).to_string() });
    let input = json!([
        to(&listed),
        to(&thought),
        to(&text),
        to(&call),
        result,
        to(&text),
        vendors,
        in_conversation,
        quoted,
    ]);
    let mut document = document(&json!({ "model": "m", "input": input, "store": true }));
    dereference(&kept, account(1), &mut document, MIB, NOW).unwrap();
    let whole = json!([
        first,
        output[0],
        output[1],
        output[2],
        result,
        output[1],
        vendors,
        in_conversation,
        quoted,
    ]);
    assert_eq!(input_of(&document), whole);
    assert_eq!(document.get("store"), Some(&b"true"[..]));
    // What names nothing that was made here goes on as it came.
    for input in [
        json!("item_reference"),
        json!([vendors, quoted]),
        json!({}),
        json!([[to(&text)]]),
    ] {
        let mut document = self::document(&json!({ "model": "m", "input": input }));
        dereference(&kept, account(1), &mut document, MIB, NOW).unwrap();
        assert!(!document.is_modified(), "{input}");
    }
}

#[test]
fn a_reference_to_another_accounts_item_and_to_an_expired_a_deleted_and_an_unknown_one_are_equally_not_found()
 {
    let kept = turns();
    for request in [1, 2] {
        let output = json!([message(&item("msg", request, 0), "a secret")]);
        keep(&kept, request, &json!([]), &output);
    }
    kept.forget(&format!("resp_{}", request_id(2)));
    let known = item("msg", 1, 0);
    let told = |id: &str, of: u128, now_ms: u64| {
        let hello = json!({ "role": "user", "content": "hello" });
        let mut document = document(&json!({ "model": "m", "input": [hello, to(id)] }));
        let error = dereference(&kept, account(of), &mut document, MIB, now_ms).unwrap_err();
        assert!(!document.is_modified());
        assert_eq!(error.kind, ErrorKind::AnswerNotFound);
        assert_eq!(error.param.as_deref(), Some("input[1]"));
        assert!(
            error
                .message
                .contains(&format!("`input[1]`: Item with id '{id}' not found"))
        );
        error.message.replace(id, "x")
    };
    let foreign = told(&known, 2, NOW);
    for (id, of, now_ms) in [
        (&item("msg", 1, 1), 1, NOW),
        (&item("msg", 2, 0), 1, NOW),
        (&item("msg", 3, 0), 1, NOW),
        (&known, 1, LATER),
        (&format!("item_0_resp_{}", request_id(1)), 1, NOW),
    ] {
        assert_eq!(told(id, of, now_ms), foreign, "{id}");
    }
}

/// Each answer has the whole conversation up to it: reading them all took as long as the conversation squared.
#[test]
fn all_items_of_a_conversation_are_found_in_its_last_answer() {
    let kept = turns();
    let mut input = Vec::new();
    for turn in 1..=1_200 {
        input.push(json!({ "role": "user", "content": turn.to_string() }));
        let said = message(&item("msg", turn, 0), &format!("answer to {turn}"));
        if turn == 1_200 {
            keep(&kept, turn, &Value::from(input.clone()), &json!([said]));
        }
        input.push(said);
    }
    let named: Vec<Value> = input
        .iter()
        .map(|item| item["id"].as_str().map_or_else(|| item.clone(), to))
        .collect();
    let mut document = document(&json!({ "model": "m", "input": named }));
    dereference(&kept, account(1), &mut document, MIB, NOW).unwrap();
    assert_eq!(input_of(&document), Value::from(input));
}

#[test]
fn what_references_bring_into_a_request_and_what_is_read_for_it_are_bounded() {
    let kept = turns();
    let long = "a".repeat(MIB);
    let most = reference::MOST_ANSWERS;
    for request in 1..=most + 1 {
        keep(
            &kept,
            request,
            &json!([]),
            &json!([message(&item("msg", request, 0), "a")]),
        );
    }
    // Those that are longer come behind.
    let (first, behind) = (most + 2, most + 2 + reference::MOST_BYTES / MIB);
    for request in first..=behind {
        keep(
            &kept,
            request,
            &json!([{ "role": "user", "content": long }]),
            &json!([message(&item("msg", request, 0), "a")]),
        );
    }
    let ask = |requests: Vec<usize>| {
        let named: Vec<Value> = requests
            .into_iter()
            .map(|request| to(&item("msg", request, 0)))
            .collect();
        let mut document = document(&json!({ "model": "m", "input": named }));
        dereference(&kept, account(1), &mut document, 4 * MIB, NOW)
    };
    assert!(ask((1..=most).collect()).is_ok());
    assert!(ask((first..behind).collect()).is_ok());
    for many in [(1..=most + 1).collect(), (first..=behind).collect()] {
        let error = ask(many).unwrap_err();
        assert_eq!(error.kind, ErrorKind::BodyTooLarge);
        assert!(error.message.contains("1000 answers"), "{}", error.message);
    }
    // One item may be named often, and is read once.
    let listed = format!("item_0_resp_{}", request_id(first));
    for (times, fits) in [(3, true), (4, false)] {
        let named = vec![to(&listed); times];
        let mut document = document(&json!({ "model": "m", "input": named }));
        let outcome = dereference(&kept, account(1), &mut document, 4 * MIB, NOW);
        assert_eq!(outcome.is_ok(), fits, "{times}");
        if let Err(error) = outcome {
            assert_eq!(error.kind, ErrorKind::BodyTooLarge);
            assert_eq!(error.param.as_deref(), Some("input"));
            assert!(!document.is_modified());
        }
    }
}
