//! Cases of the table of the bridge: for every row and every target one that sends the field and says what stands there.
//!
//! A case is data (`requests/*.json`, `answers/*.json`); what its words mean is told at [`Case`] and [`Outcome`].
#![allow(
    dead_code,
    reason = "of the two tests that include this each reads its own half"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Deserialize;
use serde_json::{Map, Value};
use tollgate_dialect::Dialect;
use tollgate_dialect::bridge::loss::{Fate, Row, others};

/// One case of one row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// The row's field.
    pub(crate) row: String,
    /// Where the field stands in what is sent: pointers, all of them removed to see what becomes of a body without it.
    pub(crate) at: Pointers,
    /// What is put into the smallest body of the dialect: a member by its name, or anything by its pointer.
    #[serde(default)]
    pub(crate) send: BTreeMap<String, Value>,
    /// Events, where only a stream can say it (answers).
    #[serde(default)]
    pub(crate) events: Vec<Value>,
    /// `whole`: no stream of this says the same (answers).
    pub(crate) only: Option<Only>,
    /// Abilities of the vendor (requests); without it able of all.
    pub(crate) can: Option<Vec<String>>,
    /// The model's own output cap (requests).
    pub(crate) cap: Option<u64>,
    /// What the client asked for otherwise than all that there is (answers).
    #[serde(default)]
    pub(crate) asks: Asks,
    pub(crate) chat: Option<Outcome>,
    pub(crate) responses: Option<Outcome>,
    pub(crate) messages: Option<Outcome>,
    /// The case as it is written.
    #[serde(skip)]
    written: Map<String, Value>,
}

/// One pointer or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Pointers {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Only {
    Whole,
}

/// What the client of an answer asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asks {
    pub(crate) logprobs: Option<bool>,
    pub(crate) encrypted: Option<bool>,
    pub(crate) readable: Option<bool>,
    pub(crate) structured: Option<String>,
}

/// What becomes of it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Outcome {
    /// `"dropped"`: all is as if it had not been sent.
    Word(Gone),
    Refused(Refused),
    Fails(Fails),
    Said(Said),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Gone {
    Dropped,
}

/// A 400 that names the field: this `param`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refused {
    pub(crate) refused: String,
}

/// The answer is a failure that says this.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fails {
    pub(crate) fails: String,
}

/// What stands over there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    /// The same value: from where it was sent, to where it stands.
    #[serde(default)]
    pub(crate) kept: BTreeMap<String, String>,
    /// Another one. Null: nothing.
    #[serde(default)]
    pub(crate) says: BTreeMap<String, Value>,
    /// What stands nowhere.
    #[serde(default)]
    pub(crate) gone: Vec<String>,
    /// What the answer's way back knows of it (requests).
    #[serde(default)]
    pub(crate) context: BTreeMap<String, Value>,
    /// It says no more than what goes without saying: the same stands there without it.
    #[serde(default)]
    pub(crate) same: bool,
}

impl Case {
    pub(crate) fn outcome(&self, to: Dialect) -> Option<&Outcome> {
        match to {
            Dialect::OpenaiResponses => self.responses.as_ref(),
            Dialect::AnthropicMessages => self.messages.as_ref(),
            _ => self.chat.as_ref(),
        }
    }

    /// What the case shows of one target, as text.
    fn words(&self, to: Dialect) -> String {
        let to = match to {
            Dialect::OpenaiResponses => "responses",
            Dialect::AnthropicMessages => "messages",
            _ => "chat",
        };
        let shows = ["at", "send", "events", "asks", "can", to];
        self.written
            .iter()
            .filter(|(name, _)| shows.contains(&name.as_str()))
            .map(|(_, value)| value.to_string())
            .collect()
    }

    /// The body that is sent.
    pub(crate) fn body(&self, smallest: Value) -> Value {
        let mut body = smallest;
        for (name, value) in &self.send {
            put(&mut body, name, value.clone());
        }
        body
    }

    /// The pointers of the field.
    pub(crate) fn places(&self) -> &[String] {
        match &self.at {
            Pointers::One(one) => std::slice::from_ref(one),
            Pointers::Many(many) => many,
        }
    }

    /// The body without the field.
    pub(crate) fn without(&self, body: &Value) -> Value {
        let mut body = body.clone();
        let mut places: Vec<_> = self.places().iter().collect();
        // From behind, so that no element moves before it is removed.
        places.sort();
        for place in places.into_iter().rev() {
            let (parent, name) = place.rsplit_once('/').unwrap();
            let removed = match body.pointer_mut(parent) {
                Some(Value::Object(object)) => object.remove(name),
                Some(Value::Array(list)) => Some(list.remove(name.parse().unwrap())),
                _ => None,
            };
            assert!(removed.is_some(), "{}: nothing at {place}", self.row);
        }
        body
    }
}

fn put(body: &mut Value, name: &str, value: Value) {
    let Some((parent, name)) = name.rsplit_once('/') else {
        body[name] = value;
        return;
    };
    match body.pointer_mut(parent) {
        Some(Value::Array(list)) if name.parse() == Ok(list.len()) => list.push(value),
        Some(Value::Array(list)) => list[name.parse::<usize>().unwrap()] = value,
        Some(parent) => parent[name] = value,
        None => panic!("nothing at {parent}"),
    }
}

impl Said {
    /// Checks `got` against what was sent.
    pub(crate) fn check(&self, title: &str, sent: &Value, got: &Value) {
        assert!(
            !(self.kept.is_empty() && self.says.is_empty() && self.context.is_empty()),
            "{title} says nothing"
        );
        for (from, to) in &self.kept {
            let was = sent
                .pointer(from)
                .unwrap_or_else(|| panic!("{title}: nothing was sent at {from}"));
            assert_eq!(
                got.pointer(to),
                Some(was),
                "{title}: {from} is not kept at {to} in\n{got:#}"
            );
        }
        for (to, wanted) in &self.says {
            let there = got.pointer(to).unwrap_or(&Value::Null);
            assert_eq!(there, wanted, "{title}: at {to} in\n{got:#}");
        }
        for word in &self.gone {
            assert!(
                sent.to_string().contains(word),
                "{title}: {word} was not sent"
            );
            assert!(
                !got.to_string().contains(word),
                "{title}: {word} in\n{got:#}"
            );
        }
    }
}

/// One if the check fails, none if it holds: so all that fail are told, not the first alone.
pub(crate) fn fails(check: impl FnOnce()) -> usize {
    usize::from(catch_unwind(AssertUnwindSafe(check)).is_err())
}

/// Every row has cases, every case a row, and what a row says its cases show: each of its words in code is in one of
/// them, and what it says is kept, dropped or refused, one sees kept, dropped or refused.
pub(crate) fn cover(from: Dialect, rows: &[Row], cases: &[Case]) -> Vec<String> {
    let mut wrong = Vec::new();
    let known: BTreeSet<_> = rows.iter().map(|row| row.field).collect();
    for case in cases {
        if !known.contains(case.row.as_str()) {
            wrong.push(format!("{from:?}: there is no row `{}`", case.row));
        }
    }
    for row in rows {
        for (to, fate) in others(from).into_iter().zip(row.fates) {
            let own = cases
                .iter()
                .filter(|case| case.row == row.field)
                .filter_map(|case| Some((case, case.outcome(to)?)))
                .collect::<Vec<_>>();
            wrong.extend(
                shown(to, fate, &own)
                    .into_iter()
                    .map(|lack| format!("{from:?} to {to:?}, `{}`: {lack}", row.field)),
            );
        }
    }
    wrong
}

/// What a row says and no case shows, or the other way round.
fn shown(to: Dialect, fate: Fate, own: &[(&Case, &Outcome)]) -> Vec<String> {
    let dropped = own
        .iter()
        .any(|(_, outcome)| matches!(outcome, Outcome::Word(_)));
    let refused = own
        .iter()
        .any(|(_, outcome)| matches!(outcome, Outcome::Refused(_)));
    let kept = own
        .iter()
        .any(|(_, outcome)| matches!(outcome, Outcome::Said(said) if !said.kept.is_empty()));
    let said = own
        .iter()
        .any(|(_, outcome)| matches!(outcome, Outcome::Said(_) | Outcome::Fails(_)));
    let (wanted, words) = match fate {
        Fate::Kept => ([true, false, false, true], ""),
        Fate::Converted(words) => (
            [
                words.contains("kept"),
                words.contains("dropped") || words.contains("left out"),
                words.contains("refused"),
                true,
            ],
            words,
        ),
        Fate::Dropped(words) => ([false, true, words.contains("(refused"), false], ""),
        Fate::Refused(_) => ([false, false, true, false], ""),
    };
    let got = [kept, dropped, refused, said];
    let names = ["kept", "dropped", "refused", "said"];
    let mut lacks: Vec<_> = names
        .iter()
        .zip(wanted.iter().zip(got))
        .filter(|(_, (wanted, got))| **wanted && !got)
        .map(|(name, _)| format!("no case shows it {name}"))
        .collect();
    let odd = match fate {
        Fate::Kept => dropped || refused,
        Fate::Converted(_) => (dropped && !wanted[1]) || (refused && !wanted[2]),
        Fate::Dropped(_) => said || (refused && !wanted[2]),
        Fate::Refused(_) => said || dropped,
    };
    if odd {
        lacks.push("a case shows what the row does not say".to_owned());
    }
    let all: String = own.iter().map(|(case, _)| case.words(to)).collect();
    // Numbers count as words where they are large enough to be limits.
    let numbers = words
        .split(|letter: char| !letter.is_ascii_digit())
        .filter(|number| number.len() > 3);
    let quoted = words.split('`').skip(1).step_by(2);
    lacks.extend(
        quoted
            .flat_map(|quoted| quoted.split(|letter: char| !is_of_a_name(letter)))
            .chain(numbers)
            .filter(|word| !all.contains(word))
            .map(|word| format!("no case shows `{word}`")),
    );
    lacks
}

const fn is_of_a_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '…')
}

/// Reads the cases of a file. One with `each` is as many as it has values, each with its own outcomes; a value stands
/// where `put` says, or where the field is.
pub(crate) fn read(text: &str) -> Vec<Case> {
    let list: Vec<Map<String, Value>> = serde_json::from_str(text).unwrap();
    let mut cases = Vec::new();
    for mut case in list {
        let Some(each) = case.remove("each") else {
            cases.push(one(case));
            continue;
        };
        let place = case.remove("put").unwrap_or_else(|| case["at"].clone());
        for pair in each.as_array().unwrap() {
            let mut case = case.clone();
            case.extend(pair[1].as_object().unwrap().clone());
            let send = case.entry("send").or_insert_with(|| Map::new().into());
            send[place.as_str().unwrap()] = pair[0].clone();
            cases.push(one(case));
        }
    }
    cases
}

fn one(case: Map<String, Value>) -> Case {
    let value = Value::from(case.clone());
    let read: Case =
        serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}: {case:?}"));
    Case {
        written: case,
        ..read
    }
}
