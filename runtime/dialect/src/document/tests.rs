//! Documents against serde_json's verdict and against a tree that is edited the slow way.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::Edit;

fn parse(text: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    Document::parse(Bytes::copy_from_slice(bytes))
        .unwrap_err()
        .message
}

fn set(pointer: &str, value: &str) -> Edit {
    Edit::Set {
        pointer: pointer.into(),
        value: value.into(),
    }
}

fn default(pointer: &str, value: &str) -> Edit {
    Edit::SetDefault {
        pointer: pointer.into(),
        value: value.into(),
    }
}

fn remove(pointer: &str) -> Edit {
    Edit::Remove {
        pointer: pointer.into(),
    }
}

fn rename(pointer: &str, to: &str) -> Edit {
    Edit::Rename {
        pointer: pointer.into(),
        to: to.into(),
    }
}

fn retain(pointer: &str, names: &[&str]) -> Edit {
    Edit::Retain {
        pointer: pointer.into(),
        names: names.iter().map(|&name| name.into()).collect(),
    }
}

/// The body after the edits, as text.
fn edited(text: &str, edits: &[Edit]) -> String {
    let mut document = parse(text);
    for edit in edits {
        document.apply(edit).unwrap();
    }
    String::from_utf8(document.to_bytes().to_vec()).unwrap()
}

#[test]
fn faults_are_said_with_their_place() {
    for (body, words) in [
        (&b""[..], "the body is empty at byte 0"),
        (b"[1]", "the body must be a JSON object at byte 0"),
        (b"\"a", "the body ends inside a string at byte 2"),
        (
            b"{\"a\":1,}",
            "a member name in double quotes was expected at byte 7",
        ),
        (b"{\"a\" 1}", "`:` was expected at byte 5"),
        (b"{\"a\":01}", "`,` or `}` was expected at byte 6"),
        (b"{\"a\":[1 2]}", "`,` or `]` was expected at byte 8"),
        (
            b"{\"a\":\"\n\"}",
            "unescaped control character in a string at byte 6",
        ),
        (b"{\"a\":\"\\x\"}", "invalid escape in a string at byte 6"),
        (
            b"{\"a\":1",
            "the body ends inside an object or array at byte 6",
        ),
        (b"{} {}", "something after the JSON value at byte 3"),
        (b"{\"a\":\"\xff\"}", "not valid UTF-8 at byte 6"),
        (b"{\"a\":tru}", "a value was expected at byte 5"),
        (b"\xef\xbb\xbf{}", "a value was expected at byte 0"),
    ] {
        let message = refusal(body);
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn nesting_is_bounded_at_128() {
    let nested = |depth: usize| {
        format!(
            "{{\"a\":{}{}}}",
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    };
    assert!(Document::parse(nested(128).into()).is_ok());
    assert!(refusal(nested(129).as_bytes()).contains("nested deeper than 128"));
    assert!(refusal("[".repeat(1_000_000).as_bytes()).contains("nested deeper"));
}

#[test]
fn members_are_read_by_their_unescaped_name() {
    let document = parse(r#"{"mod\u0065l":"gp\u0074","n":7,"b":false,"nothing":null,"x":{"n":8}}"#);
    assert_eq!(
        document.get_string("model").unwrap().as_deref(),
        Some("gpt")
    );
    assert_eq!(document.get_u64("n").unwrap(), Some(7));
    assert_eq!(document.get_bool("b").unwrap(), Some(false));
    assert_eq!(document.get_u64("nothing").unwrap(), None);
    assert_eq!(document.get_bool("missing").unwrap(), None);
    assert_eq!(document.get("x"), Some(&br#"{"n":8}"#[..]));
}

#[test]
fn wrong_types_are_named() {
    let document = parse(
        r#"{"model":5,"n":-1,"f":1.5,"b":"true","big":99999999999999999999,"half":"\ud800"}"#,
    );
    let said = |error: Invalid| (error.param.unwrap(), error.message);
    assert_eq!(
        said(document.get_string("model").unwrap_err()),
        (
            "model".into(),
            "`model` must be a string, not a number".into()
        )
    );
    assert_eq!(
        said(document.get_u64("n").unwrap_err()).1,
        "`n` must be a non-negative integer, not -1"
    );
    assert_eq!(
        said(document.get_u64("f").unwrap_err()).1,
        "`f` must be a non-negative integer, not 1.5"
    );
    assert_eq!(
        said(document.get_u64("b").unwrap_err()).1,
        "`b` must be a non-negative integer, not a string"
    );
    assert!(document.get_u64("big").is_err());
    assert_eq!(
        said(document.get_bool("b").unwrap_err()).1,
        "`b` must be a boolean, not a string"
    );
    assert!(
        said(document.get_string("half").unwrap_err())
            .1
            .contains("surrogate")
    );
}

#[test]
fn an_untouched_body_is_the_very_same_bytes() {
    let raw = Bytes::from_static(b" { \"a\" : 1 }\n");
    let mut document = Document::parse(raw.clone()).unwrap();
    for edit in [
        set("/a", "1"),
        default("/a", "2"),
        remove("/b"),
        rename("/b", "c"),
        retain("/a", &[]),
        retain("", &["a"]),
    ] {
        document.apply(&edit).unwrap();
    }
    assert!(!document.is_modified());
    assert_eq!(document.to_bytes().as_ptr(), raw.as_ptr(), "no copy");
}

#[test]
fn edits_keep_order_and_whitespace_of_the_rest() {
    let body = "{ \"a\" : 1,\n  \"b\": [1, 2],\n  \"c\":\t\"x\" }\n";
    let after = |edit| edited(body, &[edit]);
    assert_eq!(
        after(set("/b", "true")),
        "{ \"a\" : 1,\n  \"b\": true,\n  \"c\":\t\"x\" }\n"
    );
    assert_eq!(
        after(set("/d", "4")),
        "{ \"a\" : 1,\n  \"b\": [1, 2],\n  \"c\":\t\"x\",\"d\":4 }\n"
    );
    assert_eq!(after(remove("/a")), "{ \"b\": [1, 2],\n  \"c\":\t\"x\" }\n");
    assert_eq!(after(remove("/b")), "{ \"a\" : 1,\n  \"c\":\t\"x\" }\n");
    assert_eq!(after(remove("/c")), "{ \"a\" : 1,\n  \"b\": [1, 2] }\n");
    assert_eq!(
        after(rename("/a", "z\"")),
        "{ \"z\\\"\" : 1,\n  \"b\": [1, 2],\n  \"c\":\t\"x\" }\n"
    );
    assert_eq!(
        after(rename("/a", "b")),
        "{ \"b\": [1, 2],\n  \"c\":\t\"x\" }\n"
    );
    assert_eq!(
        after(retain("", &["c", "a"])),
        "{ \"a\" : 1,\n  \"c\":\t\"x\" }\n"
    );
    assert_eq!(after(retain("", &[])), "{  }\n");
    assert_eq!(
        after(set("/b/1", "9")),
        "{ \"a\" : 1,\n  \"b\": [1, 9],\n  \"c\":\t\"x\" }\n"
    );
    assert_eq!(
        after(set("/b/-", "9")),
        "{ \"a\" : 1,\n  \"b\": [1, 2,9],\n  \"c\":\t\"x\" }\n"
    );
    assert_eq!(
        after(set("/b/-/x/-", "9")),
        "{ \"a\" : 1,\n  \"b\": [1, 2,{\"x\":{\"-\":9}}],\n  \"c\":\t\"x\" }\n"
    );
    assert_eq!(
        after(remove("/b/0")),
        "{ \"a\" : 1,\n  \"b\": [2],\n  \"c\":\t\"x\" }\n"
    );
}

#[test]
fn edits_follow_each_other() {
    assert_eq!(
        edited(
            "{}",
            &[
                set("/a", "1"),
                set("/b", "2"),
                remove("/a"),
                rename("/b", "a")
            ]
        ),
        r#"{"a":2}"#
    );
    assert_eq!(edited(" { } ", &[set("/a", "1")]), r#" {"a":1 } "#);
    assert_eq!(
        edited(r#"{"a":1}"#, &[remove("/a"), set("/a", "2")]),
        r#"{"a":2}"#
    );
    assert_eq!(
        edited(
            r#"{"a":1}"#,
            &[rename("/a", "b"), set("/b", "2"), set("/a", "3")]
        ),
        r#"{"b":2,"a":3}"#
    );
    assert_eq!(
        edited(
            r#"{"a":1,"b":2}"#,
            &[rename("/a", "c"), rename("/b", "a"), remove("/c")]
        ),
        r#"{"a":2}"#
    );
    assert_eq!(
        edited(r#"{"a":1}"#, &[set("", r#"{"b":1}"#), set("/c", "2")]),
        r#"{"b":1,"c":2}"#
    );
}

#[test]
fn missing_parents_are_made_and_null_counts_as_missing() {
    let usage = set("/stream_options/include_usage", "true");
    let expected = r#"{"stream_options":{"include_usage":true}}"#;
    assert_eq!(edited("{}", std::slice::from_ref(&usage)), expected);
    assert_eq!(
        edited(r#"{"stream_options":null}"#, std::slice::from_ref(&usage)),
        expected
    );
    assert_eq!(
        edited(r#"{"stream_options":{}}"#, std::slice::from_ref(&usage)),
        expected
    );
    assert_eq!(
        edited(
            r#"{"stream_options":{"x": 1}}"#,
            std::slice::from_ref(&usage)
        ),
        r#"{"stream_options":{"x": 1,"include_usage":true}}"#
    );
    assert_eq!(
        edited(r#"{"a":{"b":null}}"#, &[default("/a/b/c", "1")]),
        r#"{"a":{"b":{"c":1}}}"#
    );
    let refused = parse(r#"{"stream_options":5}"#).apply(&usage).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("stream_options"));
    assert_eq!(
        refused.message,
        "`stream_options` must be an object, not a number"
    );
}

#[test]
fn edits_that_make_no_sense_are_refused_and_change_nothing() {
    let mut document = parse(r#"{"a":[1]}"#);
    for edit in [
        set("a", "1"),
        set("/a", "{"),
        set("/a", ""),
        set("/a", "1 2"),
        default("/a/x", "1"),
        set("/a/2", "1"),
        set("/~", "1"),
        remove(""),
        rename("", "b"),
        rename("/a/0", "b"),
        set("", "[]"),
    ] {
        assert!(document.apply(&edit).is_err(), "{edit:?}");
    }
    assert!(!document.is_modified());
}

#[test]
fn a_name_that_is_there_twice_becomes_single_when_set() {
    let body = r#"{"t":1,"x":0,"\u0074":2}"#;
    assert_eq!(parse(body).name_twice().as_deref(), Some("t"));
    assert_eq!(parse(body).get("t"), Some(&b"2"[..]));
    assert_eq!(edited(body, &[set("/t", "3")]), r#"{"x":0,"\u0074":3}"#);
    assert_eq!(edited(body, &[remove("/t")]), r#"{"x":0}"#);
    assert_eq!(edited(body, &[rename("/t", "u")]), r#"{"x":0,"u":2}"#);
    assert_eq!(
        edited(r#"{"o":{"t":1,"t":2}}"#, &[set("/o/t", "3")]),
        r#"{"o":{"t":3}}"#
    );
    assert_eq!(
        edited(r#"{"o":{"t":1,"t":2}}"#, &[rename("/o/t", "u")]),
        r#"{"o":{"u":2}}"#
    );
}

#[test]
fn names_there_twice_are_found_in_large_bodies_too() {
    let mut body = String::from("{\"first\":0");
    (0..200_000).for_each(|n| body.push_str(&format!(",\"k{n}\":0")));
    assert!(parse(&format!("{body}}}")).name_twice().is_none());
    assert_eq!(
        parse(&format!("{body},\"first\":1}}"))
            .name_twice()
            .as_deref(),
        Some("first")
    );
}

/// The bytes of a Messages or Chat request that count as text, of those it has, with `block` in the content of a message.
fn counted(block: &str) -> (usize, usize) {
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{block}]}}]}}"#);
    (parse(&body).text_bytes() as usize, body.len())
}

fn assert_whole(block: &str) {
    let (counted, all) = counted(block);
    assert_eq!(counted, all, "{}", &block[..120]);
}

fn assert_eighth(block: &str) {
    let (counted, all) = counted(block);
    assert!(
        counted > all / 8 && counted < all / 7,
        "{counted} of {all}: {}",
        &block[..120]
    );
}

#[test]
fn encoded_files_count_less_than_text_wherever_a_vendor_takes_them() {
    for image in ["iVBORw0KGgo+/=", r"iVBORw0KGgo+\/=", "iVBORw0KGgo-_"] {
        let image = image.repeat(100_000);
        for block in [
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,FILE","detail":"low"}}"#,
            r#"{"type":"input_image","image_url":"data:image\/png;base64,FILE"}"#,
            r#"{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,FILE"}"#,
            r#"{"type":"file","file":{"file_data":"data:application\/pdf;base64,FILE"}}"#,
            r#"{"type":"input_audio","input_audio":{"data":"FILE","format":"wav"}}"#,
            r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"FILE"}}"#,
            r#"{"source":{"data":"FILE","media_type":"application\/pdf","type":"base64"},"type":"document"}"#,
            r#"{"type":"tool_result","content":[{"source":{"data":"FILE","type":"base64"}}]}"#,
            r#"{"type":"image_generation_call","id":"i","result":"FILE"}"#,
        ] {
            assert_eighth(&block.replace("FILE", &image));
        }
    }
    let image = "iVBORw0KGgo+/=".repeat(100_000);
    let block = r#"{"type":"input_image","image_url":"data:image/png;base64,FILE"}"#;
    let block = block.replace("FILE", &image);
    let body = format!(r#"{{"input":[{{"role":"user","content":[{block},{block}]}}]}}"#);
    assert!((parse(&body).text_bytes() as usize) < body.len() / 7);
}

#[test]
fn text_that_begins_like_a_file_counts_whole() {
    let start = "a1B2".repeat(128);
    let prose = "words and words ".repeat(10_000);
    let escaped = r"\u4e2d".repeat(10_000);
    for text in [
        format!("{start} {prose}"),
        format!("data:image/png;base64,{start}{prose}"),
        format!("{start}{escaped}"),
        format!(r"{start}\\/{start}\n{}", start.repeat(20)),
        format!("{}.", start.repeat(20)),
    ] {
        for block in [
            r#"{"type":"text","text":"TEXT"}"#,
            r#"{"type":"image_url","image_url":{"url":"TEXT"}}"#,
            r#"{"source":{"type":"base64","media_type":"image/png","data":"TEXT"}}"#,
        ] {
            assert_whole(&block.replace("TEXT", &text));
        }
    }
}

#[test]
fn base64_where_a_model_reads_it_as_text_counts_whole() {
    let text = "a1B2+/".repeat(10_000);
    for block in [
        r#"{"type":"text","text":"TEXT"}"#,
        r#"{"type":"text","text":"data:image/png;base64,TEXT"}"#,
        r#"{"source":{"type":"text","media_type":"text/plain","data":"TEXT"}}"#,
        r#"{"source":{"data":"TEXT","media_type":"text/plain","type":"text"}}"#,
        r#"{"source":{"type":"base64","media_type":"text/plain","data":"TEXT"}}"#,
        r#"{"source":{"type":"base64","data":"TEXT","type":"text"}}"#,
        r#"{"source":{"type":"base64","data":"TEXT","typ\u0065":"text"}}"#,
        r#"{"source":{"data":"TEXT","x":{"type":"base64"}}}"#,
        r#"{"type":"tool_use","input":{"type":"base64","data":"TEXT","of":["data:image/png;base64,"]}}"#,
        r#"{"type":"tool_use","input":{"a":[{"url":"data:image/png;base64,TEXT"}]}}"#,
        r#"{"type":"file","file":{"file_data":"data:text/plain;base64,TEXT"}}"#,
        r#"{"type":"file","file":{"file_data":"data:application\/json;base64,TEXT"}}"#,
        r#"{"url":["data:image/png;base64,TEXT"]}"#,
    ] {
        assert_whole(&block.replace("TEXT", &text));
    }
    for body in [
        r#"{"data":"TEXT","type":"base64"}"#,
        r#"{"url":"data:image/png;base64,TEXT"}"#,
        r#"{"tools":[{"source":{"type":"base64","data":"TEXT"}}]}"#,
        r#"{"input":"TEXT"}"#,
        r#"{"input":["TEXT"]}"#,
    ] {
        let body = body.replace("TEXT", &text);
        assert_eq!(parse(&body).text_bytes() as usize, body.len());
    }
}

#[test]
fn escaped_text_counts_no_less_than_the_same_text_unescaped() {
    for (escaped, plain) in [(r"\u4e2d", "中"), (r"\ud83d\ude00", "😀"), (r"\u00e9", "é")] {
        let of = |text: &str| {
            let block = format!(r#"{{"type":"text","text":"{}"}}"#, text.repeat(20_000));
            counted(&block).0
        };
        assert!(of(escaped) >= of(plain), "{plain}");
    }
}

#[test]
fn ids_of_tokens_count_two_bytes_each_at_least() {
    // A strict budget holds a token for two bytes, so an id is never held for at less than the token that it is.
    let body = format!(r#"{{"input":[{}1]}}"#, "1,".repeat(100_000));
    assert!(parse(&body).text_bytes() >= 2 * 100_001);
}

/// The slow way: a tree. `None` where the edit is refused.
fn on_tree(mut tree: Value, edit: &Edit) -> Option<Value> {
    fn parents<'a>(
        tree: &'a mut Value,
        path: &[String],
        make: bool,
    ) -> Option<Option<&'a mut Value>> {
        let mut at = tree;
        for token in path {
            if at.is_null() && make {
                *at = json!({});
            }
            let Value::Object(map) = at else {
                return if make { None } else { Some(None) };
            };
            if make {
                map.entry(token.clone()).or_insert(Value::Null);
            }
            match map.get_mut(token) {
                Some(value) => at = value,
                None => return Some(None),
            }
        }
        if at.is_null() && make {
            *at = json!({});
        }
        Some(Some(at))
    }
    let tokens = |pointer: &str| {
        pointer
            .split('/')
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    match edit {
        Edit::Set { pointer, value } | Edit::SetDefault { pointer, value } => {
            let path = tokens(pointer);
            let (last, path) = path.split_last()?;
            let map = parents(&mut tree, path, true)??.as_object_mut()?;
            let slot = map.entry(last.clone()).or_insert(Value::Null);
            if matches!(edit, Edit::Set { .. }) || slot.is_null() {
                *slot = serde_json::from_str(value).ok()?;
            }
        }
        Edit::Remove { pointer } => {
            let path = tokens(pointer);
            let (last, path) = path.split_last()?;
            if let Some(Value::Object(map)) = parents(&mut tree, path, false)? {
                map.remove(last);
            }
        }
        Edit::Rename { pointer, to } => {
            let path = tokens(pointer);
            let (last, path) = path.split_last()?;
            if let Some(Value::Object(map)) = parents(&mut tree, path, false)?
                && let Some(value) = map.remove(last)
            {
                map.entry(to.clone()).or_insert(value);
            }
        }
        Edit::Retain { pointer, names } => {
            if let Some(Value::Object(map)) = parents(&mut tree, &tokens(pointer), false)? {
                map.retain(|name, _| names.contains(name));
            }
        }
    }
    Some(tree)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c\"\\\\\n ü]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn body() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map("[a-d]", value(), 0..5)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

fn edit() -> impl Strategy<Value = Edit> {
    let pointer = proptest::collection::vec("[a-e]", 1..4)
        .prop_map(|tokens| format!("/{}", tokens.join("/")));
    let names = proptest::collection::vec("[a-e]", 0..4);
    prop_oneof![
        (pointer.clone(), value()).prop_map(|(pointer, value)| Edit::Set {
            pointer,
            value: value.to_string()
        }),
        (pointer.clone(), value()).prop_map(|(pointer, value)| Edit::SetDefault {
            pointer,
            value: value.to_string()
        }),
        pointer.clone().prop_map(|pointer| Edit::Remove { pointer }),
        (pointer.clone(), "[a-e]").prop_map(|(pointer, to)| Edit::Rename { pointer, to }),
        (pointer, names.clone()).prop_map(|(pointer, names)| Edit::Retain { pointer, names }),
        names.prop_map(|names| Edit::Retain {
            pointer: String::new(),
            names
        }),
    ]
}

/// JSON text with whitespace wherever it may be.
fn spaced(value: &Value) -> String {
    serde_json::to_string_pretty(value)
        .unwrap()
        .replace(": ", " :\t")
}

proptest! {
    #[test]
    fn edits_do_what_a_tree_would_do_and_leave_other_members_as_they_were(
        tree in body(), edits in proptest::collection::vec(edit(), 1..5), pretty: bool
    ) {
        let text = if pretty { spaced(&tree) } else { tree.to_string() };
        let mut document = parse(&text);
        let mut tree = tree;
        for edit in &edits {
            let before = document.clone();
            match (document.apply(edit), on_tree(tree.clone(), edit)) {
                (Ok(()), Some(new)) => tree = new,
                (Err(_), None) => prop_assert_eq!(document.to_bytes(), before.to_bytes()),
                // A scalar in the way of a default that finds its value there already, and the like.
                (outcome, model) => prop_assert!(false, "{edit:?}: {outcome:?} against {model:?}"),
            }
            let bytes = document.to_bytes();
            prop_assert_eq!(&serde_json::from_slice::<Value>(&bytes).unwrap(), &tree);
            // What is read from the edited document is what a fresh parse of its bytes reads.
            let fresh = Document::parse(bytes.clone()).unwrap();
            for name in ["a", "b", "c", "d", "e"] {
                prop_assert_eq!(document.get(name), fresh.get(name));
                let touched = match edit {
                    Edit::Set { pointer, .. } | Edit::SetDefault { pointer, .. } | Edit::Remove { pointer } => {
                        pointer.starts_with(&format!("/{name}"))
                    }
                    Edit::Rename { pointer, to } => pointer.starts_with(&format!("/{name}")) || to == name,
                    Edit::Retain { pointer, .. } => pointer.is_empty() || pointer.starts_with(&format!("/{name}")),
                };
                if !touched {
                    prop_assert_eq!(before.get(name), fresh.get(name));
                }
            }
            prop_assert_eq!(document.is_modified() || bytes == text.as_bytes(), true);
        }
    }

    #[test]
    fn parsing_agrees_with_serde_json_on_damaged_bodies(
        tree in body(), pretty: bool, at in any::<prop::sample::Index>(), damage in any::<u8>(), kind in 0..4
    ) {
        let mut bytes = if pretty { spaced(&tree) } else { tree.to_string() }.into_bytes();
        let at = at.index(bytes.len());
        match kind {
            0 => bytes[at] = damage,
            1 => { bytes.remove(at); }
            2 => bytes.insert(at, damage),
            _ => bytes.truncate(at),
        }
        agree(&bytes)?;
    }

    #[test]
    fn parsing_agrees_with_serde_json_on_almost_json(text in r#"\{([\[\]{},:" ]|"a":|-?[0-9]{1,2}|[.eE+-]|true|null|"\\u00e9"|"\\[a-z]"){0,24}\}"#) {
        agree(text.as_bytes())?;
    }

    #[test]
    fn parsing_agrees_with_serde_json_on_long_strings(text in "[ -~]{0,300}", at in any::<prop::sample::Index>(), odd in any::<u8>()) {
        let mut bytes = format!("{{\"a\":\"{text}\",\"b\":1}}").into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = odd;
        agree(&bytes)?;
    }
}

/// The verdict of serde_json: UTF-8, well-formed, an object.
fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    let object = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let expected = std::str::from_utf8(bytes).is_ok()
        && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
        && object;
    let verdict = Document::parse(Bytes::copy_from_slice(bytes));
    prop_assert_eq!(
        verdict.is_ok(),
        expected,
        "{:?}: {:?}",
        String::from_utf8_lossy(bytes),
        verdict.err()
    );
    Ok(())
}
