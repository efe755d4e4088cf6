//! Request bodies and edits of them against serde_json: what one takes the other takes, an edit does what it does to a
//! tree, and what no edit touches keeps its bytes.
//!
//! The payload is one edit a line (`set /a/b 1`), an empty line, and the body.

use std::collections::BTreeSet;

use serde_json::Value;
use tollgate_dialect::{Document, Edit};

use crate::input::Input;
use crate::stream::{is_json, shown};

/// See the module.
pub fn check(data: &[u8]) {
    let Some(input) = Input::of(data) else { return };
    let (edits, body) = apart(input.payload);
    let parsed = Document::parse(body.to_vec().into());
    let sound = is_json(body) && body.trim_ascii_start().starts_with(b"{");
    let Ok(mut document) = parsed else {
        let deep = body.iter().filter(|byte| b"[{".contains(byte)).count() > 128;
        assert!(!sound || deep, "refused: {parsed:?}\n{}", shown(body));
        return;
    };
    assert!(sound, "taken: {}", shown(body));
    assert_eq!(document.to_bytes(), body);
    for edit in edits {
        let before = document.to_bytes();
        let done = document.apply(&edit);
        let after = document.to_bytes();
        let told = || format!("{edit:?}\n{}\n→\n{}", shown(&before), shown(&after));
        assert!(is_json(&after), "{}", told());
        match done {
            Err(_) => assert_eq!(after, before, "a refused edit changes nothing: {}", told()),
            Ok(()) => assert!(document.is_modified() || after == before, "{}", told()),
        }
        if input.bit(0, 0) && Document::parse(after.clone()).is_err() {
            // Set deeper than a body may be.
            return;
        }
        if let (Ok(before), Ok(after)) = (tree(&before), tree(&after)) {
            compare(&edit, before, &after, done.is_ok(), &told);
        }
        read(&document);
    }
}

fn tree(body: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(body)
}

/// Every way to read a member agrees with the tree about whether it is there.
fn read(document: &Document) {
    let Ok(Value::Object(members)) = tree(&document.to_bytes()) else {
        return;
    };
    for (name, value) in &members {
        let raw = document.get(name);
        assert!(raw.is_some(), "`{name}` is there");
        let raw: Result<Value, _> = serde_json::from_slice(raw.unwrap_or_default());
        assert_eq!(raw.ok().as_ref(), Some(value), "`{name}`");
        if let (Ok(Some(text)), Value::String(expected)) = (document.get_string(name), value) {
            assert_eq!(&*text, expected);
        }
        if let Ok(Some(number)) = document.get_u64(name) {
            assert_eq!(Some(number), value.as_u64());
        }
        if let Ok(Some(word)) = document.get_bool(name) {
            assert_eq!(Some(word), value.as_bool());
        }
    }
}

/// What an edit must have done, and that it did nothing besides.
fn compare(edit: &Edit, before: Value, after: &Value, done: bool, told: &dyn Fn() -> String) {
    let pointer = pointer(edit);
    let touched = pointer.split('/').nth(1).unwrap_or_default();
    let touched = touched.replace("~1", "/").replace("~0", "~");
    let (Value::Object(old), Value::Object(new)) = (&before, after) else {
        panic!("an object stays one: {}", told());
    };
    if !pointer.is_empty() {
        let mut spared = BTreeSet::from([&*touched]);
        if let Edit::Rename { to, .. } = edit {
            spared.insert(to);
        }
        for (name, value) in old.iter().filter(|(name, _)| !spared.contains(&***name)) {
            assert_eq!(new.get(name), Some(value), "`{name}`: {}", told());
        }
        assert!(
            new.keys()
                .all(|name| old.contains_key(name) || spared.contains(&**name)),
            "{}",
            told()
        );
    }
    if !done {
        return;
    }
    match edit {
        Edit::Set { value, .. } => {
            let Some(value) = taken(value) else { return };
            let at = placed(&before, pointer);
            assert_eq!(after.pointer(&at), Some(&value), "{}", told());
        }
        Edit::SetDefault { value, .. } => {
            let Some(value) = taken(value) else { return };
            let at = placed(&before, pointer);
            let was = before.pointer(&at).filter(|was| !was.is_null());
            assert_eq!(
                after.pointer(&at),
                Some(was.unwrap_or(&value)),
                "{}",
                told()
            );
        }
        Edit::Remove { .. } => {
            let (parent, _) = pointer.rsplit_once('/').expect("of the whole is refused");
            if !before.pointer(parent).is_some_and(Value::is_array) {
                assert_eq!(after.pointer(pointer), None, "{}", told());
            }
        }
        Edit::Retain { names, .. } => {
            if let Some(Value::Object(left)) = after.pointer(pointer) {
                assert!(left.keys().all(|name| names.contains(name)), "{}", told());
            }
        }
        _ => {}
    }
}

/// The pointer, with the number of what it appends where it has the `-` of an array.
fn placed(before: &Value, pointer: &str) -> String {
    let mut at = String::new();
    for token in pointer.split('/').skip(1) {
        match before.pointer(&at) {
            Some(Value::Array(items)) if token == "-" => at += &format!("/{}", items.len()),
            _ => at += &format!("/{token}"),
        }
    }
    at
}

fn pointer(edit: &Edit) -> &str {
    match edit {
        Edit::Set { pointer, .. }
        | Edit::SetDefault { pointer, .. }
        | Edit::Remove { pointer }
        | Edit::Rename { pointer, .. }
        | Edit::Retain { pointer, .. } => pointer,
    }
}

/// The edits in front of the body, and the body.
fn apart(payload: &[u8]) -> (Vec<Edit>, &[u8]) {
    let Some(at) = payload.windows(2).position(|pair| pair == b"\n\n") else {
        return (Vec::new(), payload);
    };
    let lines = String::from_utf8_lossy(&payload[..at]);
    (lines.lines().filter_map(edit).collect(), &payload[at + 2..])
}

fn edit(line: &str) -> Option<Edit> {
    let mut words = line.splitn(3, ' ');
    let (verb, pointer) = (words.next()?, words.next()?.to_owned());
    let rest = words.next().unwrap_or_default().to_owned();
    Some(match verb {
        "set" => Edit::Set {
            pointer,
            value: rest,
        },
        "default" => Edit::SetDefault {
            pointer,
            value: rest,
        },
        "remove" => Edit::Remove { pointer },
        "rename" => Edit::Rename { pointer, to: rest },
        "retain" => Edit::Retain {
            pointer,
            names: rest.split(' ').map(str::to_owned).collect(),
        },
        _ => return None,
    })
}

/// A value that was taken; none where it is no tree for serde: half a surrogate pair and numbers that no float holds pass
/// as they are.
fn taken(value: &str) -> Option<Value> {
    serde_json::from_str(value).ok()
}
