//! Real requests, where they are at hand, through every direction. Looks in `$TOLLGATE_RECORDINGS`, else in
//! `shared/recordings` beside the checkout.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use tollgate_dialect::{Dialect, ErrorKind};

use super::back::{Trip, back_from_little, there_and_back, two_ways};
use super::invariants::valid;
use super::said::{kept, said_in};
use super::support::*;

fn folder() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("TOLLGATE_RECORDINGS").map(PathBuf::from) {
        assert!(named.is_dir(), "TOLLGATE_RECORDINGS is no folder");
        return Some(named);
    }
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/recordings");
    let beside = PathBuf::from(beside);
    beside.is_dir().then_some(beside)
}

fn dialect_of(line: &Value) -> Option<Dialect> {
    match (line["dialect"].as_str(), line["path"].as_str()) {
        (Some("openai-chat"), _) | (None, Some("/v1/chat/completions")) => {
            Some(Dialect::OpenaiChat)
        }
        (Some("openai-responses"), _) | (None, Some("/v1/responses")) => {
            Some(Dialect::OpenaiResponses)
        }
        (Some("anthropic-messages"), _) | (None, Some("/v1/messages")) => {
            Some(Dialect::AnthropicMessages)
        }
        _ => None,
    }
}

/// Where from, which dialect, and the body.
fn requests() -> Vec<(String, Dialect, Value)> {
    let Some(folder) = folder() else {
        eprintln!("no recordings at hand: nothing bridged");
        return Vec::new();
    };
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let body = [&line["request"], &line["body"]]
                .into_iter()
                .find(|body| body.is_object());
            if let (Some(dialect), Some(body)) = (dialect_of(&line), body)
                && (body["messages"].is_array() || !body["input"].is_null())
                && body["encoding_format"].is_null()
            {
                let name = format!(
                    "{} {}",
                    file.file_name().unwrap().to_string_lossy(),
                    line["case"]
                );
                found.push((name, dialect, body.clone()));
            }
        }
    }
    found
}

/// Vendors outside the three dialects' own have roles and parts of their own, and tests send faulty requests on purpose.
fn is_no_fault_of_ours(body: &Value) -> bool {
    let text = body.to_string();
    // Histories that were left open on purpose.
    text.contains("document_url") || text.contains("\"prefix\"")
}

#[test]
fn recorded_requests_keep_everything_that_was_said_or_are_refused_by_name() {
    let requests = requests();
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let (mut bridged_count, mut refused_count) = (0, 0);
    let mut faults = Vec::new();
    for (name, from, body) in &requests {
        let before = said_in(*from, body);
        for to in others(*from) {
            for target in [able(to), bare(to)] {
                match bridged(*from, &body.to_string(), &target) {
                    Ok(bridged) => {
                        bridged_count += 1;
                        let after: Value = serde_json::from_slice(&bridged.body).unwrap();
                        let outcome = valid(to, &after)
                            .and_then(|()| kept(&before, &said_in(to, &after), &bridged.context));
                        if let Err(wrong) = outcome {
                            faults.push(format!("{name} to {}: {wrong}", short(to)));
                        }
                    }
                    Err(error) => {
                        refused_count += 1;
                        let param = error.param.clone().unwrap_or_default();
                        if error.kind != ErrorKind::Unsupported && !is_no_fault_of_ours(body) {
                            faults.push(format!("{name} to {}: {error:?}", short(to)));
                        }
                        let plain: String = param
                            .chars()
                            .filter(|letter| !letter.is_ascii_digit())
                            .collect();
                        *refused
                            .entry(format!("{} {plain}", short(*from)))
                            .or_default() += 1;
                    }
                }
            }
        }
    }
    println!("{bridged_count} bridged, {refused_count} refused: {refused:#?}");
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(
        requests.is_empty() || bridged_count > refused_count * 4,
        "{bridged_count} bridged, {refused_count} refused"
    );
}

#[test]
fn recorded_requests_come_back_from_both_other_dialects_as_they_were() {
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let (mut back, mut no_way_back, mut faults) = (0, 0, Vec::new());
    for (name, from, body) in requests() {
        for over in others(from) {
            let little = back_from_little(&body, from, over);
            let way = two_ways(from, over);
            match little.and_then(|()| there_and_back(&body, from, over, way)) {
                Ok(Trip::Back) => back += 1,
                Ok(Trip::NoWayBack) => no_way_back += 1,
                Ok(Trip::Refused(error)) => {
                    let field: String = error.param.unwrap_or_default();
                    let plain = field.chars().filter(|letter| !letter.is_ascii_digit());
                    let way = format!("{} to {}: ", short(from), short(over));
                    *refused.entry(way + &plain.collect::<String>()).or_default() += 1;
                }
                Err(wrong) => faults.push(format!("{name} over {}: {wrong}", short(over))),
            }
        }
    }
    let count: usize = refused.values().sum();
    println!(
        "{back} there and back, {no_way_back} without a way back, {count} refused on the way there: {refused:#?}"
    );
    assert!(back > 0 || no_way_back + count == 0, "nothing came back");
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// What agents send by themselves must never be refused, or they do not work at all.
#[test]
fn requests_of_real_clients_are_never_refused() {
    for (name, from, body) in requests() {
        if !name.starts_with("client-requests") {
            continue;
        }
        for to in others(from) {
            for target in [able(to), bare(to)] {
                if let Err(error) = bridged(from, &body.to_string(), &target) {
                    panic!("{name} to {}: {error:?}", short(to));
                }
            }
        }
    }
}
