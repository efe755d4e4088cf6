//! What content policies see of each dialect, and that putting text back changes nothing else.

use super::*;

fn document(body: &str) -> Document {
    Document::parse(body.as_bytes().to_vec().into()).unwrap()
}

fn shown(segments: Vec<Segment<'_>>) -> Vec<String> {
    segments
        .iter()
        .map(|segment| {
            format!(
                "{} {} {}",
                segment.role.as_str(),
                segment.kind.as_str(),
                segment.text
            )
        })
        .collect()
}

fn request(operation: Operation, body: &str) -> Vec<String> {
    shown(segments(&document(body), operation).unwrap())
}

fn answer(operation: Operation, body: &str) -> Vec<String> {
    shown(answer_segments(&document(body), operation).unwrap())
}

#[test]
fn all_text_of_a_chat_request_is_shown() {
    let body = r#"{"model":"m","messages":[
        {"role":"system","content":"s"},
        {"role":"developer","content":[{"type":"text","text":"d"}]},
        {"role":"user","name":"n","content":[{"type":"text","text":"u\u00e9"},{"type":"image_url","image_url":{"url":"x"}},{"type":"new_part","words":"w"}]},
        {"role":"assistant","content":null,"refusal":"no","reasoning_content":"hm","tool_calls":[
            {"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},
            {"id":"2","type":"custom","custom":{"name":"g","input":"raw"}}]},
        {"role":"tool","tool_call_id":"1","content":"result"},
        {"role":"tool","tool_call_id":"2","content":[{"type":"text","text":"more"}]}],
        "prediction":{"type":"content","content":"p"},"temperature":1}"#;
    let expected = [
        "system text s",
        "developer text d",
        "user text ué",
        "user text w",
        "assistant text no",
        "assistant reasoning hm",
        "assistant tool-arguments {\"a\":1}",
        "assistant tool-arguments raw",
        "tool tool-result result",
        "tool tool-result more",
        "assistant text p",
    ];
    assert_eq!(request(Operation::ChatCompletions, body), expected);
}

#[test]
fn all_text_of_a_responses_request_is_shown() {
    let body = r#"{"model":"m","instructions":"i","input":[
        {"role":"developer","content":"d"},
        {"type":"message","role":"user","content":[{"type":"input_text","text":"u"},{"type":"input_image","image_url":"data:"}]},
        {"type":"reasoning","summary":[{"type":"summary_text","text":"sum"}],"content":[{"type":"reasoning_text","text":"deep"}],"encrypted_content":"opaque"},
        {"type":"function_call","name":"f","call_id":"c","arguments":"{}"},
        {"type":"function_call_output","call_id":"c","output":"out"},
        {"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"part"}]},
        {"type":"custom_tool_call","call_id":"c","input":"patch"},
        {"type":"custom_tool_call_output","call_id":"c","output":"done"},
        {"type":"local_shell_call","action":{"type":"exec","command":["ls","-l"]}},
        {"type":"web_search_call","id":"w","status":"completed","action":{"type":"search","query":"q"}},
        {"type":"additional_tools","tools":[{"name":"t","description":"definition"}]},
        {"type":"something_new","id":"x","words":{"inner":"n"}}],
        "prompt":{"id":"p","variables":{"city":"v"}}}"#;
    let expected = [
        "system text i",
        "developer text d",
        "user text u",
        "assistant reasoning sum",
        "assistant reasoning deep",
        "assistant tool-arguments {}",
        "tool tool-result out",
        "tool tool-result part",
        "assistant tool-arguments patch",
        "tool tool-result done",
        "assistant tool-arguments exec",
        "assistant tool-arguments ls",
        "assistant tool-arguments -l",
        "assistant tool-arguments search",
        "assistant tool-arguments q",
        "user text n",
        "user text v",
    ];
    assert_eq!(request(Operation::Responses, body), expected);
    assert_eq!(
        request(Operation::Responses, r#"{"input":"plain"}"#),
        ["user text plain"]
    );
}

#[test]
fn all_text_of_a_messages_request_is_shown() {
    let body = r#"{"model":"m","system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[
        {"role":"user","content":"u"},
        {"role":"system","content":"mid"},
        {"role":"assistant","content":[
            {"type":"thinking","thinking":"t","signature":"opaque"},{"type":"redacted_thinking","data":"opaque"},
            {"type":"tool_use","id":"1","name":"f","input":{"id":"deep","list":["x",1,{"y":"z"}]}}]},
        {"role":"user","content":[
            {"type":"tool_result","tool_use_id":"1","content":"r"},
            {"type":"tool_result","tool_use_id":"2","content":[{"type":"text","text":"rr"},{"type":"image","source":{"data":"x"}}]},
            {"type":"document","title":"ti","context":"co","source":{"type":"text","media_type":"text/plain","data":"plain"}},
            {"type":"document","source":{"type":"base64","data":"opaque"}},
            {"type":"document","source":{"type":"content","content":[{"type":"text","text":"inner"}]}},
            {"type":"search_result","source":"url","title":"st","content":[{"type":"text","text":"sc"}]}]}]}"#;
    let expected = [
        "system text s",
        "user text u",
        "system text mid",
        "assistant reasoning t",
        "assistant tool-arguments deep",
        "assistant tool-arguments x",
        "assistant tool-arguments z",
        "tool tool-result r",
        "tool tool-result rr",
        "user text ti",
        "user text co",
        "user text plain",
        "user text inner",
        "user text st",
        "user text sc",
    ];
    for operation in [Operation::Messages, Operation::CountTokens] {
        assert_eq!(request(operation, body), expected);
    }
    assert_eq!(
        request(Operation::Messages, r#"{"system":"s"}"#),
        ["system text s"]
    );
}

#[test]
fn embeddings_input_is_text_unless_it_is_tokens() {
    assert_eq!(
        request(Operation::Embeddings, r#"{"input":"a"}"#),
        ["user text a"]
    );
    assert_eq!(
        request(Operation::Embeddings, r#"{"input":["a","b"]}"#),
        ["user text a", "user text b"]
    );
    assert!(request(Operation::Embeddings, r#"{"input":[[1,2],[3]]}"#).is_empty());
}

#[test]
fn text_that_is_there_twice_is_shown_twice() {
    let body = r#"{"messages":[{"role":"user","content":"a","cont\u0065nt":"b"}]}"#;
    assert_eq!(
        request(Operation::ChatCompletions, body),
        ["user text a", "user text b"]
    );
    assert_eq!(
        request(Operation::Messages, body),
        ["user text a", "user text b"]
    );
    let body = r#"{"input":[{"type":"function_call","arguments":"a","arguments":"b"}]}"#;
    assert_eq!(request(Operation::Responses, body).len(), 2);
}

#[test]
fn shapes_in_which_text_could_hide_are_refused() {
    for (operation, body, param) in [
        (
            Operation::ChatCompletions,
            r#"{"messages":["hi"]}"#,
            "messages[0]",
        ),
        (
            Operation::ChatCompletions,
            r#"{"messages":[{"role":"user","content":5}]}"#,
            "messages[0].content",
        ),
        (
            Operation::ChatCompletions,
            r#"{"messages":[{"content":[7]}]}"#,
            "messages[0].content[0]",
        ),
        (Operation::Responses, r#"{"input":[[]]}"#, "input[0]"),
        (
            Operation::Messages,
            r#"{"messages":[{"content":[{"type":"tool_result","content":1}]}]}"#,
            "messages[0].content[0].content",
        ),
        (Operation::Messages, r#"{"system":1}"#, "system"),
    ] {
        assert_eq!(
            segments(&document(body), operation)
                .unwrap_err()
                .param
                .as_deref(),
            Some(param)
        );
    }
}

#[test]
fn only_the_text_changes() {
    let body = "{ \"messages\" : [ {\"role\":\"user\",\"content\":\"one\\u0020\"},\n {\"role\":\"user\", \"content\":[{\"text\":\"two\",\"type\":\"text\",\"cache_control\":{}}]} ],\"x\":1.50 }";
    let mut changed = document(body);
    let new = "\"quoted\"\n\\ ü".to_owned();
    replace(
        &mut changed,
        Operation::ChatCompletions,
        &[(1, new), (0, "one ".into())],
    )
    .unwrap();
    let expected = body.replace("\"two\"", r#""\"quoted\"\n\\ ü""#);
    assert_eq!(
        changed.to_bytes(),
        expected,
        "text given back as it was keeps even its escapes"
    );
    let mut same = document(body);
    replace(&mut same, Operation::ChatCompletions, &[(0, "one ".into())]).unwrap();
    assert!(!same.is_modified());
}

#[test]
fn replacements_that_name_nothing_or_one_text_twice_are_refused() {
    let mut body = document(r#"{"messages":[{"content":"a"}]}"#);
    assert!(replace(&mut body, Operation::Messages, &[(1, String::new())]).is_err());
    assert!(
        replace(
            &mut body,
            Operation::Messages,
            &[(0, "x".into()), (0, "y".into())]
        )
        .is_err()
    );
    assert!(!body.is_modified());
}

#[test]
fn text_can_be_replaced_behind_other_edits() {
    let mut body = document(r#"{"messages":[{"content":"a"}],"model":"m"}"#);
    body.apply(&crate::Edit::Set {
        pointer: "/messages/0/role".into(),
        value: "\"user\"".into(),
    })
    .unwrap();
    body.apply(&crate::Edit::Rename {
        pointer: "/model".into(),
        to: "system".into(),
    })
    .unwrap();
    replace(
        &mut body,
        Operation::Messages,
        &[(0, "b".into()), (1, "n".into())],
    )
    .unwrap();
    assert_eq!(
        body.to_bytes(),
        r#"{"messages":[{"content":"b","role":"user"}],"system":"n"}"#
    );
}

#[test]
fn text_of_whole_answers_is_shown() {
    let chat = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"c","reasoning":"r","tool_calls":[{"function":{"name":"f","arguments":"{}"}}],"audio":{"transcript":"t","data":"x"}}},{"index":1,"message":{"content":"d"}}]}"#;
    assert_eq!(
        answer(Operation::ChatCompletions, chat),
        [
            "assistant text c",
            "assistant reasoning r",
            "assistant tool-arguments {}",
            "assistant text t",
            "assistant text d"
        ]
    );
    let responses = r#"{"instructions":"echoed","output":[{"type":"reasoning","summary":[]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"o","annotations":[]}]},{"type":"mcp_call","arguments":"{}","output":"out"}]}"#;
    assert_eq!(
        answer(Operation::Responses, responses),
        [
            "assistant text o",
            "assistant tool-arguments {}",
            "tool tool-result out"
        ]
    );
    let messages = r#"{"content":[{"type":"text","text":"a"},{"type":"tool_use","input":{"q":"b"}},{"type":"web_search_tool_result","tool_use_id":"i","content":[{"type":"web_search_result","title":"w","encrypted_content":"e"}]}]}"#;
    assert_eq!(
        answer(Operation::Messages, messages),
        [
            "assistant text a",
            "assistant tool-arguments b",
            "tool tool-result w"
        ]
    );
}

#[test]
fn probabilities_that_spell_the_old_text_go_with_it() {
    let body = r#"{"choices":[{"index":0,"message":{"content":"secret","refusal":"sec"},"logprobs":{"content":[{"token":"secret"}]}},{"index":1,"message":{"content":"fine"},"logprobs":{"content":[{"token":"fine"}]}}]}"#;
    let mut changed = document(body);
    replace_answer(
        &mut changed,
        Operation::ChatCompletions,
        &[(0, "***".into()), (1, "*".into())],
    )
    .unwrap();
    let expected = r#"{"choices":[{"index":0,"message":{"content":"***","refusal":"*"},"logprobs":null},{"index":1,"message":{"content":"fine"},"logprobs":{"content":[{"token":"fine"}]}}]}"#;
    assert_eq!(changed.to_bytes(), expected);
    let mut changed = document(
        r#"{"output":[{"type":"message","content":[{"type":"output_text","text":"secret","logprobs":[{"token":"secret"}]}]}]}"#,
    );
    replace_answer(&mut changed, Operation::Responses, &[(0, "*".into())]).unwrap();
    assert_eq!(
        changed.to_bytes(),
        r#"{"output":[{"type":"message","content":[{"type":"output_text","text":"*","logprobs":[]}]}]}"#
    );
}
