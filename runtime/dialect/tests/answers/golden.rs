//! Golden files: what every fixture is in each other dialect. `TOLLGATE_WRITE_GOLDEN=1` writes them anew; then read
//! the difference before committing it.

use serde_json::Value;
use tollgate_dialect::bridge::Context;

use super::grammar::{self, End};
use super::plain;
use super::support::*;

/// The request's part in the answer, where a case needs one.
fn context_of(fixture: &Fixture, client: tollgate_dialect::Dialect) -> Context {
    let mut context = context(client, fixture.vendor);
    if fixture.name == "structured" {
        context.structured_tool = Some("answer_schema".into());
    }
    // The other half of what a client can ask.
    if fixture.name == "text" {
        context.include_usage = false;
        context.encrypted_reasoning = false;
        context.logprobs = false;
    }
    context
}

fn produced(fixture: &Fixture, client: tollgate_dialect::Dialect) -> Vec<u8> {
    let context = context_of(fixture, client);
    if fixture.streams {
        return stream(&context, &fixture.bytes);
    }
    let body = whole(&context, &fixture.bytes).unwrap();
    let value: Value = serde_json::from_slice(&body).unwrap();
    let mut pretty = serde_json::to_vec_pretty(&value).unwrap();
    pretty.push(b'\n');
    pretty
}

#[test]
fn every_fixture_is_what_its_golden_file_says() {
    let rewrite = std::env::var_os("TOLLGATE_WRITE_GOLDEN").is_some();
    let mut different = Vec::new();
    for fixture in fixtures() {
        for client in fixture.clients() {
            let extension = if fixture.streams { "sse" } else { "json" };
            let name = format!(
                "{}/{}.{}.{extension}",
                short(fixture.vendor),
                fixture.name,
                short(client)
            );
            let path = folder().join(&name);
            let produced = produced(&fixture, client);
            if rewrite {
                std::fs::write(&path, &produced).unwrap();
            } else if std::fs::read(&path).unwrap_or_default() != produced {
                different.push(format!("{name}:\n{}", text(&produced)));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn every_fixture_keeps_the_grammar_of_each_dialect() {
    for fixture in fixtures() {
        for client in fixture.clients() {
            let produced = produced(&fixture, client);
            let name = format!("{} {}", fixture.name, short(client));
            if fixture.streams {
                let end = grammar::check(client, &produced)
                    .unwrap_or_else(|wrong| panic!("{name}: {wrong}\n{}", text(&produced)));
                let fails = matches!(fixture.name.as_str(), "error" | "cut");
                assert_eq!(end == End::Failed, fails, "{name}");
            } else {
                let value: Value = serde_json::from_slice(&produced).unwrap();
                grammar::check_whole(client, &value)
                    .unwrap_or_else(|wrong| panic!("{name}: {wrong}\n{value:#}"));
            }
        }
    }
}

/// Some vendors answer with one JSON body where they were asked for a stream.
#[test]
fn a_whole_answer_in_the_place_of_a_stream_is_a_stream_for_the_client() {
    for fixture in fixtures().iter().filter(|fixture| !fixture.streams) {
        for client in fixture.clients() {
            let context = context_of(fixture, client);
            let mut bridge = bridge(&context);
            let mut out = Vec::new();
            bridge.whole(&fixture.bytes, &mut out);
            assert!(bridge.is_ended());
            assert_eq!(grammar::check(client, &out), Ok(End::Complete));
            let body = whole(&context, &fixture.bytes).unwrap();
            let mut expected = plain::summary(client, &serde_json::from_slice(&body).unwrap());
            if client == CHAT && !context.include_usage {
                expected.usage = None;
            }
            assert_eq!(
                plain::summary_of_stream(client, &out),
                Ok(expected),
                "{}",
                fixture.name
            );
        }
    }
}

/// A stream says what the whole answer says: both fixtures of a name tell the same answer.
#[test]
fn a_stream_says_what_the_whole_answer_says() {
    let all = fixtures();
    let mut compared = 0;
    for json in all.iter().filter(|fixture| !fixture.streams) {
        let Some(sse) = all
            .iter()
            .find(|other| other.streams && other.name == json.name && other.vendor == json.vendor)
        else {
            continue;
        };
        for client in json.clients() {
            let context = context_of(json, client);
            let told = plain::summary_of_stream(client, &stream(&context, &sse.bytes)).unwrap();
            let body = whole(&context, &json.bytes).unwrap();
            let mut whole = plain::summary(client, &serde_json::from_slice(&body).unwrap());
            if client == CHAT && !context.include_usage {
                whole.usage = None;
            }
            assert_eq!(told, whole, "{} {}", json.name, short(client));
            compared += 1;
        }
    }
    assert!(compared > 40);
}
