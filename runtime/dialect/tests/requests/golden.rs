//! Golden files: what every request is in both other dialects. `TOLLGATE_WRITE_GOLDEN=1` writes them anew; then read the
//! difference before committing it. A case whose name ends in `-bare` goes to a vendor that can do little.

use std::path::{Path, PathBuf};

use tollgate_dialect::Dialect;
use tollgate_dialect::bridge::{ClientTool, Context};

use super::back::{Trip, back_from_little, there_and_back, two_ways};
use super::invariants;
use super::said::{kept, said_in};
use super::support::*;

struct Fixture {
    from: Dialect,
    name: String,
    body: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/requests")
}

fn fixtures() -> Vec<Fixture> {
    let mut fixtures = Vec::new();
    for from in DIALECTS {
        let mut names: Vec<_> = std::fs::read_dir(folder().join(short(from)))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|file| file.strip_suffix(".json").map(str::to_owned))
            .filter(|name| !name.contains('.'))
            .collect();
        names.sort();
        for name in names {
            let path = folder().join(short(from)).join(format!("{name}.json"));
            let body = std::fs::read_to_string(path).unwrap();
            fixtures.push(Fixture { from, name, body });
        }
    }
    assert!(fixtures.len() > 100, "{} fixtures found", fixtures.len());
    fixtures
}

/// The part of the context that the request decides, one line each; nothing for what is usual.
fn noteworthy(context: &Context) -> String {
    let mut lines = Vec::new();
    for tool in &context.tools {
        let kind = match (tool.custom, tool.item) {
            (true, _) => "custom tool",
            (_, Some(ClientTool::Search)) => "tool search",
            (_, Some(_)) => "client's own tool",
            _ => "function",
        };
        let namespace = tool.namespace.as_deref().map(|name| format!(" of {name}"));
        lines.push(format!(
            "{} is the {kind} {}{}",
            tool.wire,
            tool.name,
            namespace.unwrap_or_default()
        ));
    }
    if let Some(name) = &context.structured_tool {
        lines.push(format!("the answer is what {name} is called with"));
    }
    for (said, holds) in [
        ("usage is wanted", context.include_usage),
        ("reasoning comes encrypted", context.encrypted_reasoning),
        ("reasoning is not shown", !context.readable_reasoning),
        ("probabilities are wanted", context.logprobs),
    ] {
        if holds {
            lines.push(said.to_owned());
        }
    }
    lines.iter().map(|line| format!("// {line}\n")).collect()
}

fn produced(fixture: &Fixture, to: Dialect) -> String {
    let target = if fixture.name.ends_with("-bare") {
        bare(to)
    } else {
        able(to)
    };
    match bridged(fixture.from, &fixture.body, &target) {
        Ok(bridged) => {
            let json = String::from_utf8(bridged.body).unwrap();
            serde_json::from_str::<serde_json::Value>(&json)
                .unwrap_or_else(|error| panic!("{}: {error}\n{json}", fixture.name));
            format!("{}{}", noteworthy(&bridged.context), pretty(&json))
        }
        Err(error) => format!(
            "// refused: {:?} {}\n// {}\n",
            error.kind,
            error.param.as_deref().unwrap_or("(the whole request)"),
            error.message
        ),
    }
}

#[test]
fn every_request_is_what_its_golden_file_says() {
    let rewrite = std::env::var_os("TOLLGATE_WRITE_GOLDEN").is_some();
    let mut different = Vec::new();
    for fixture in fixtures() {
        for to in others(fixture.from) {
            let name = format!("{}/{}.{}.txt", short(fixture.from), fixture.name, short(to));
            let path = folder().join(&name);
            let produced = produced(&fixture, to);
            if rewrite {
                std::fs::write(&path, &produced).unwrap();
            } else if std::fs::read_to_string(&path).unwrap_or_default() != produced {
                different.push(format!("{name}:\n{produced}"));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn no_golden_file_is_left_of_a_case_that_is_gone() {
    let known: Vec<_> = fixtures();
    for from in DIALECTS {
        for entry in std::fs::read_dir(folder().join(short(from))).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let Some((name, _)) = file.split_once('.') else {
                continue;
            };
            assert!(
                known
                    .iter()
                    .any(|fixture| fixture.from == from && fixture.name == name),
                "{}/{file}",
                short(from)
            );
        }
    }
}

#[test]
fn every_request_that_is_not_refused_is_one_its_dialect_takes_and_says_what_it_said() {
    let mut checked = 0;
    for fixture in fixtures() {
        for to in others(fixture.from) {
            for target in [able(to), bare(to)] {
                let Ok(bridged) = bridged(fixture.from, &fixture.body, &target) else {
                    continue;
                };
                let body = serde_json::from_slice(&bridged.body).unwrap();
                let before = serde_json::from_str(&fixture.body).unwrap();
                let before = said_in(fixture.from, &before);
                invariants::valid(to, &body)
                    .and_then(|()| kept(&before, &said_in(to, &body), &bridged.context))
                    .unwrap_or_else(|wrong| panic!("{}: {wrong}\n{body:#}", fixture.name));
                checked += 1;
            }
        }
    }
    assert!(checked > 200, "{checked}");
}

#[test]
fn every_request_that_is_not_refused_comes_back_from_both_other_dialects_as_it_was() {
    let (mut back, mut faults) = (0, Vec::new());
    for fixture in fixtures() {
        let body = serde_json::from_str(&fixture.body).unwrap();
        let from = fixture.from;
        for over in others(from) {
            let little = back_from_little(&body, from, over);
            let way = two_ways(from, over);
            match little.and_then(|()| there_and_back(&body, from, over, way)) {
                Ok(Trip::Back) => back += 1,
                Ok(Trip::Refused(_) | Trip::NoWayBack) => {}
                Err(wrong) => faults.push(format!(
                    "{} from {} over {}: {wrong}",
                    fixture.name,
                    short(from),
                    short(over)
                )),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(back > 200, "{back}");
}

#[test]
fn equal_requests_give_equal_bytes_however_they_are_spaced() {
    for fixture in fixtures() {
        let value: serde_json::Value = serde_json::from_str(&fixture.body).unwrap();
        let spaced = serde_json::to_string_pretty(&value).unwrap();
        for to in others(fixture.from) {
            let target = able(to);
            let [first, again] =
                [&fixture.body, &fixture.body].map(|body| bridged(fixture.from, body, &target));
            match (first, again) {
                (Ok(first), Ok(again)) => {
                    assert_eq!(first.body, again.body, "{}", fixture.name);
                    // Other white space, the same meaning.
                    let other = bridged(fixture.from, &spaced, &target).unwrap();
                    let [first, other] = [first.body, other.body]
                        .map(|body| serde_json::from_slice::<serde_json::Value>(&body).unwrap());
                    assert_eq!(
                        plain_arguments(first),
                        plain_arguments(other),
                        "{}",
                        fixture.name
                    );
                }
                (first, again) => assert_eq!(
                    first.map(|bridged| bridged.body),
                    again.map(|bridged| bridged.body)
                ),
            }
        }
    }
}

/// Strings that hold JSON, without their white space.
fn plain_arguments(mut value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match &mut value {
        Value::Object(object) => {
            for (name, inner) in object.iter_mut() {
                let taken = inner.take();
                *inner = match (name.as_str(), taken) {
                    ("arguments", Value::String(text)) => {
                        serde_json::from_str(&text).unwrap_or(Value::String(text))
                    }
                    (_, other) => plain_arguments(other),
                };
            }
        }
        Value::Array(list) => {
            for inner in list {
                *inner = plain_arguments(inner.take());
            }
        }
        _ => {}
    }
    value
}

#[test]
fn every_refusal_names_a_field_of_the_client() {
    for fixture in fixtures() {
        for to in others(fixture.from) {
            if let Err(error) = bridged(fixture.from, &fixture.body, &able(to)) {
                let param = error.param.unwrap_or_else(|| panic!("{}", fixture.name));
                assert!(
                    error.message.contains(&format!("`{param}`"))
                        || error.message.contains("the id"),
                    "{}: {}",
                    fixture.name,
                    error.message
                );
            }
        }
    }
}
