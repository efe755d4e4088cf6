//! Codex, Claude Code and opencode: what they report, and what the vendor received of them.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;
use tollgate_tests::clients::{Outcome, Running, skipped};
use tollgate_tests::endpoints::Endpoint;
use tollgate_tests::simulator::{Ending, Received};
use tollgate_tests::wire::Request;
use tollgate_tests::world::World;

use super::commands::{Client, Wish};
use super::{IMAGE, VENDORS, Vendor, schema, vendors};

/// Makes a test of each row. Text, streams and a single tool of Codex and of Claude Code on foreign vendors are with
/// those clients' own tests (`command_line_clients.rs`); all of opencode is here.
macro_rules! command_lines {
    ($($test:ident: $client:expr, [$($wish:expr),*];)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            works_on_every_foreign_vendor($client, &[$($wish),*]).await;
        }
    )*};
}

// opencode's command line (1.18.33) has no option for a schema: it is shown a picture there, and asked for an object over
// its server, whose answer is a call of a tool of its own that the model must make.
command_lines! {
    codex_runs_tools_in_rounds: Client::Codex, [Wish::Rounds];
    codex_sees_and_answers_with_an_object: Client::Codex, [Wish::ImageAndObject];
    codex_tells_of_failures_and_can_be_interrupted: Client::Codex, [Wish::Broken, Wish::Interrupted];
    codex_over_a_websocket: Client::CodexOverWebSocket, [Wish::Rounds, Wish::Broken, Wish::Interrupted];
    codex_over_a_websocket_sees_and_answers_with_an_object: Client::CodexOverWebSocket, [Wish::ImageAndObject];
    claude_code_runs_tools_in_rounds: Client::ClaudeCode, [Wish::Rounds];
    claude_code_sees_and_answers_with_an_object: Client::ClaudeCode, [Wish::ImageAndObject];
    claude_code_tells_of_failures_and_can_be_interrupted: Client::ClaudeCode, [Wish::Broken, Wish::Interrupted];
    opencode_in_chat_completions: OPENCODE_CHAT, [Wish::Text, Wish::Rounds, Wish::Image, Wish::Interrupted];
    opencode_in_chat_completions_sees_and_answers_with_an_object: OPENCODE_CHAT, [Wish::ImageAndObject];
    opencode_in_chat_completions_tells_of_failures: OPENCODE_CHAT, [Wish::Broken];
    opencode_in_responses: OPENCODE_RESPONSES, [Wish::Text, Wish::Rounds, Wish::Image, Wish::Interrupted];
    opencode_in_responses_sees_and_answers_with_an_object: OPENCODE_RESPONSES, [Wish::ImageAndObject];
    opencode_in_responses_tells_of_failures: OPENCODE_RESPONSES, [Wish::Broken];
    opencode_in_messages: OPENCODE_MESSAGES, [Wish::Text, Wish::Rounds, Wish::Image, Wish::Interrupted];
    opencode_in_messages_sees_and_answers_with_an_object: OPENCODE_MESSAGES, [Wish::ImageAndObject];
    opencode_in_messages_tells_of_failures: OPENCODE_MESSAGES, [Wish::Broken];
}

const OPENCODE_CHAT: Client = Client::Opencode("chat-completions");
const OPENCODE_RESPONSES: Client = Client::Opencode("responses");
const OPENCODE_MESSAGES: Client = Client::Opencode("messages");

async fn works_on_every_foreign_vendor(client: Client, wishes: &[Wish]) {
    if skipped() {
        return;
    }
    let foreign = VENDORS
        .iter()
        .filter(|vendor| vendor.operation != client.own());
    let runs = foreign.map(|vendor| works_on(vendor, client, wishes));
    if matches!((client, wishes), (Client::Opencode(_), [Wish::Broken])) {
        // It tries six times, which takes a minute of waiting: on all vendors at once.
        join_all(runs).await;
        return;
    }
    for run in runs {
        run.await;
    }
}

async fn works_on(vendor: &Vendor, client: Client, wishes: &[Wish]) {
    let world = vendors().await;
    for wish in wishes {
        let what = format!("{client:?}, {wish:?} on {}", vendor.operation);
        world.simulator.forget();
        let before = world.management().rows().await.len();
        let home = tempfile::tempdir().unwrap();
        let command = client.command(home.path(), &world, vendor, *wish);
        let outcome = outcome(&world, client, *wish, command, home.path()).await;
        let said = format!("{what}:\n{}\n{}", outcome.output, outcome.errors);
        let received = received(&world, vendor, &what);
        match wish {
            Wish::Text => {
                let hello = "Hello from the simulator, all is well.";
                assert!(outcome.success && outcome.output.contains(hello), "{said}");
                assert_eq!(received.len(), 1, "{what}");
                assert_eq!(received[0].json()["stream"], true, "{what}");
                let rows = world.management().wait_for_rows(before + 1).await;
                let wanted = Endpoint::of(vendor.operation).tokens;
                let told = rows.iter().find(|row| row.tokens() == wanted);
                assert!(told.is_some_and(|row| !row.estimated()), "{what}: {rows:?}");
            }
            Wish::Rounds => {
                for number in 1..=4 {
                    let wanted = format!("call {number} gave {}", number * 11);
                    assert!(
                        outcome.success && outcome.output.contains(&wanted),
                        "{said}"
                    );
                }
                assert!(outcome.output.contains("The tools said: "), "{said}");
                assert_rounds(client, vendor, &received, &what);
                world.simulator.forget();
                let next = client.next(home.path(), &world, vendor);
                let outcome = self::outcome(&world, client, *wish, next, home.path()).await;
                let said = format!("{what}, next:\n{}\n{}", outcome.output, outcome.errors);
                assert!(outcome.success, "{said}");
                let received = self::received(&world, vendor, &what);
                assert_next_turn(client, vendor, &received, &what);
            }
            Wish::Image => {
                let seen = format!("I see image/png in {} letters.", IMAGE.len());
                assert!(outcome.success && outcome.output.contains(&seen), "{said}");
                let first = &received[0];
                assert!(first.text().contains(IMAGE), "{what}: {}", first.text());
            }
            Wish::ImageAndObject => {
                assert!(outcome.success, "{said}");
                let object = outcome.output.contains(r#""degrees":19"#)
                    || outcome.output.contains(r#"\"degrees\":19"#);
                assert!(object, "{said}");
                let first = &received[0];
                assert!(first.text().contains(IMAGE), "{what}: {}", first.text());
                let body = first.json();
                let demanded = match client {
                    Client::ClaudeCode => continue,
                    Client::Opencode(_) => schema_of_its_own_tool(&body),
                    _ => schema(vendor, &body),
                };
                assert!(
                    demanded["properties"]["degrees"].is_object(),
                    "{what}: {body}"
                );
            }
            Wish::Broken => {
                assert!(!outcome.success, "{said}");
                assert!(said.contains(client.told_of_a_cut()), "{said}");
            }
            Wish::Interrupted => {
                assert_eq!(
                    world.simulator.wait_for_ending().await,
                    Ending::CallerLeft,
                    "{what}"
                );
                let rows = world
                    .management()
                    .wait_for_rows(before + received.len())
                    .await;
                let row = rows.iter().find(|row| row.status() == 499);
                let row = row.unwrap_or_else(|| panic!("{what}: nobody left: {rows:?}"));
                assert_eq!(row.text("error"), "client-closed", "{what}");
                assert!(row.charged() > 0, "{what}: {}", row.0);
            }
        }
    }
    if client == Client::CodexOverWebSocket {
        assert_over_websockets(&world, wishes.len()).await;
    }
}

/// The schema of the tool by which opencode has an object told, as any of the three dialects has it.
fn schema_of_its_own_tool(body: &Value) -> &Value {
    let tools = body["tools"].as_array().into_iter().flatten();
    let mut tools = tools.map(|tool| match &tool["function"] {
        Value::Null => tool,
        function => function,
    });
    let tool = tools
        .find(|tool| tool["name"] == "StructuredOutput")
        .unwrap_or_else(|| panic!("no tool for an object: {body}"));
    match &tool["input_schema"] {
        Value::Null => &tool["parameters"],
        schema => schema,
    }
}

/// At least so many WebSockets were opened: Codex falls back to HTTP in silence.
async fn assert_over_websockets(world: &World, count: usize) {
    let metrics = world.gateway.send(&Request::get("/metrics")).await.text();
    let opened = metrics
        .lines()
        .find_map(|line| line.strip_prefix("tollgate_websockets_total "))
        .and_then(|opened| opened.parse::<usize>().ok());
    assert!(opened.is_some_and(|opened| opened >= count), "{metrics}");
}

/// Runs it to its end, which the user brings about where the answer hangs.
async fn outcome(
    world: &World,
    client: Client,
    wish: Wish,
    mut command: Command,
    home: &Path,
) -> Outcome {
    let mut running = Running::start(&mut command, home).unwrap();
    if wish == Wish::Interrupted {
        world.simulator.wait_for(1).await;
        if let Some(words) = client.shows_meanwhile() {
            running.wait_for(words).await.unwrap();
        }
        running.interrupt().unwrap();
    }
    tokio::task::spawn_blocking(move || running.finish())
        .await
        .unwrap()
        .unwrap()
}

/// What the vendor received: on its own path, with nothing in it that is for others.
fn received(world: &World, vendor: &Vendor, what: &str) -> Vec<Arc<Received>> {
    let received = world.simulator.received();
    for received in &received {
        assert_eq!(received.path(), vendor.path(), "{what}");
        vendor.assert_not_anothers(&received.text(), what);
        let headers = format!("{:?}", received.headers);
        assert!(!headers.contains(&world.key.secret), "{what}: {headers}");
    }
    received
}

/// Whether the client brings back what only its vendor can read. Where it speaks chat completions that dialect has no
/// place for it.
fn brings_reasoning_back(client: Client) -> bool {
    client != OPENCODE_CHAT
}

/// The calls of a round came back together, each with its own result, and the vendor's reasoning with them.
fn assert_rounds(client: Client, vendor: &Vendor, requests: &[Arc<Received>], what: &str) {
    assert_eq!(requests.len(), 3, "{what}");
    for (round, request) in requests.iter().enumerate() {
        let body = request.json();
        let (calls, results) = vendor.calls_and_results(&body);
        assert_eq!(calls.concat().len(), 2 * round, "{what}: {body}");
        assert_eq!(calls.len(), round, "{what}: {body}");
        let (mut calls, mut results) = (calls.concat(), results);
        calls.sort();
        results.sort();
        assert_eq!(calls, results, "{what}: {body}");
        let kept = request.text().matches(vendor.reasoning).count();
        let wanted = match brings_reasoning_back(client) {
            true => round,
            false => 0,
        };
        assert_eq!(kept, wanted, "{what}, round {round}: {body}");
    }
}

/// The question after the rounds came with all that was before it: the calls, the answer, and the reasoning of each of
/// the three turns.
fn assert_next_turn(client: Client, vendor: &Vendor, requests: &[Arc<Received>], what: &str) {
    assert_eq!(requests.len(), 1, "{what}");
    let body = requests[0].json();
    let (calls, results) = vendor.calls_and_results(&body);
    assert_eq!((calls.len(), results.len()), (2, 4), "{what}: {body}");
    let text = requests[0].text();
    for words in ["The tools said: ", "And now?"] {
        assert!(text.contains(words), "{what}: no {words:?} in {body}");
    }
    let kept = text.matches(vendor.reasoning).count();
    let wanted = match brings_reasoning_back(client) {
        true => 3,
        false => 0,
    };
    assert_eq!(kept, wanted, "{what}: {body}");
}
