//! Codex and Claude Code through the gateway, headless, with a home of their own.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tollgate_tests::clients::{Clients, Outcome, run, skipped};
use tollgate_tests::endpoints::{CLAUDE, GPT};
use tollgate_tests::simulator::{ANTHROPIC, OPENAI, Received};
use tollgate_tests::wire::Request;
use tollgate_tests::world::World;

use crate::bridge::foreign;
use crate::quickstart::Quickstart;

const HELLO: &str = "Hello from the simulator, all is well.";
const TOLD: &str = "The tool said: ";
const ANSWER: &str = "the answer is 42";

/// Codex with a home of its own; what it is to do comes behind.
pub(crate) fn codex_in(home: &Path, world: &World, model: &str, websocket: bool) -> Command {
    let config = format!(
        r#"model = "{model}"
model_provider = "gateway"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.gateway]
name = "Gateway under test"
base_url = "{}/v1"
env_key = "GATEWAY_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
supports_websockets = {websocket}
"#,
        world.gateway.base_url()
    );
    std::fs::write(home.join("config.toml"), config).unwrap();
    let mut command = Clients::ensure().unwrap().node("codex");
    command
        .env("HOME", home)
        .env("CODEX_HOME", home)
        .env("GATEWAY_KEY", &world.key.secret)
        .current_dir(home)
        .args(["exec", "--skip-git-repo-check", "--json"]);
    command
}

async fn codex(world: &World, model: &str, prompt: &str, websocket: bool) -> Outcome {
    let home = tempfile::tempdir().unwrap();
    let mut command = codex_in(home.path(), world, model, websocket);
    command.arg(prompt);
    let outcome = tokio::task::spawn_blocking(move || run(&mut command, home.path()))
        .await
        .unwrap()
        .unwrap();
    assert!(
        outcome.success,
        "codex failed:\n{}\n{}",
        outcome.output, outcome.errors
    );
    outcome
}

/// Claude Code with a home of its own; what it is to do comes behind.
pub(crate) fn claude_in(home: &Path, world: &World, model: &str) -> Command {
    let mut command = Clients::ensure().unwrap().node("claude");
    command
        .env("HOME", home)
        .env("TERM", "dumb")
        .env("IS_SANDBOX", "1")
        .env("DISABLE_TELEMETRY", "1")
        .env("DISABLE_ERROR_REPORTING", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("CLAUDE_CODE_MAX_RETRIES", "0")
        .env("ANTHROPIC_BASE_URL", world.gateway.base_url())
        .env("ANTHROPIC_AUTH_TOKEN", &world.key.secret)
        .current_dir(home)
        .args(["--model", model, "--dangerously-skip-permissions"]);
    command
}

async fn claude(world: &World, model: &str, prompt: &str, further: &[&str]) -> Outcome {
    let home = tempfile::tempdir().unwrap();
    let mut command = claude_in(home.path(), world, model);
    command.args(["-p", prompt]).args(further);
    let outcome = tokio::task::spawn_blocking(move || run(&mut command, home.path()))
        .await
        .unwrap()
        .unwrap();
    assert!(
        outcome.success,
        "claude failed:\n{}\n{}",
        outcome.output, outcome.errors
    );
    outcome
}

/// Runs what a person pasted, with `further` typed behind it, in a home of its own.
async fn pasted(script: &str, further: &str, files: &[(&str, &str)]) -> Outcome {
    let clients = Clients::ensure().unwrap();
    let home = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let file = home.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    let mut command = clients.shell(&format!("{script} {further}"));
    command
        .env("HOME", home.path())
        .env("TERM", "dumb")
        // Only says that no person has to confirm; nothing about where to connect or as whom.
        .env("IS_SANDBOX", "1")
        .current_dir(home.path());
    let outcome = tokio::task::spawn_blocking(move || run(&mut command, home.path()))
        .await
        .unwrap()
        .unwrap();
    assert!(
        outcome.success,
        "{script} {further} failed:\n{}\n{}",
        outcome.output, outcome.errors
    );
    outcome
}

/// What Codex says of a model that it has no catalogue of.
const UNKNOWN_MODEL: &str = "fallback metadata";

/// A command whose output is not in its text, so that a client that shows it has run it.
const COMMAND: &str = r#"echo the answer is $((6*7))"#;

/// What makes `echo` call a tool, quoted for the shell.
fn tool_line(tool: &str, argument: &str) -> String {
    let arguments = serde_json::json!({ argument: COMMAND });
    format!("'!tool {tool} {arguments}'")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_works_with_the_printed_settings_and_runs_a_tool() {
    if skipped() {
        return;
    }
    let quickstart = Quickstart::start().await;
    let config = quickstart.to_paste("Codex, in ~/.codex/config.toml:");
    let script = quickstart.to_paste("Codex, in the shell:");
    let headless = "exec --skip-git-repo-check --json --dangerously-bypass-approvals-and-sandbox";
    for (prompt, wanted) in [
        ("'Echo this, please.'".to_owned(), "Echo this, please."),
        (tool_line("exec_command", "cmd"), ANSWER),
    ] {
        let outcome = pasted(
            &script,
            &format!("{headless} {prompt}"),
            &[(".codex/config.toml", &config)],
        )
        .await;
        let said = outcome
            .output
            .lines()
            .rev()
            .find(|line| line.contains("agent_message"));
        assert!(
            said.is_some_and(|said| said.contains(wanted)),
            "{}\n{}",
            outcome.output,
            outcome.errors
        );
        // It has fetched the catalogue, so the model is no stranger to it.
        assert!(
            !outcome.output.contains(UNKNOWN_MODEL),
            "{}",
            outcome.output
        );
    }
    // One request for the text, two for the round trip.
    let rows = quickstart.gateway.management().wait_for_rows(3).await;
    assert!(
        rows.iter()
            .all(|row| row.status() == 200 && row.text("operation") == "responses"),
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_code_works_with_the_printed_settings_and_runs_a_tool() {
    if skipped() {
        return;
    }
    let quickstart = Quickstart::start().await;
    let script = quickstart.to_paste("Claude Code:");
    for (prompt, wanted) in [
        ("'Echo this, please.'".to_owned(), "Echo this, please."),
        (tool_line("Bash", "command"), ANSWER),
    ] {
        let headless = format!("--dangerously-skip-permissions -p {prompt}");
        let outcome = pasted(&script, &headless, &[]).await;
        assert!(
            outcome.output.contains(wanted),
            "{}\n{}",
            outcome.output,
            outcome.errors
        );
    }
    let rows = quickstart.gateway.management().wait_for_rows(3).await;
    let messages: Vec<_> = rows
        .iter()
        .filter(|row| row.text("operation") == "messages")
        .collect();
    assert!(
        messages.len() >= 3 && messages.iter().all(|row| row.status() == 200),
        "{rows:?}"
    );
}

/// The bodies the vendor got on a path.
fn sent(received: &[Arc<Received>], path: &str) -> Vec<serde_json::Value> {
    received
        .iter()
        .filter(|received| received.path() == path)
        .map(|received| received.whole())
        .collect()
}

fn assert_no_credential_of_the_caller(world: &World) {
    for received in world.simulator.received() {
        assert!(
            !format!("{:?}", received.headers).contains(&world.key.secret),
            "the client's key went upstream"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_gets_text() {
    if skipped() {
        return;
    }
    let world = World::new().await;
    let outcome = codex(&world, GPT, "Say hello.", false).await;
    assert!(
        outcome.output.contains(HELLO),
        "{}\n{}",
        outcome.output,
        outcome.errors
    );
    let bodies = sent(&world.simulator.received(), "/v1/responses");
    assert_eq!(bodies.len(), 1);
    assert_eq!(
        (&bodies[0]["stream"], &bodies[0]["model"]),
        (&true.into(), &GPT.into())
    );
    // What it showed of the usage is what the vendor told.
    assert!(
        outcome
            .output
            .contains(&format!("\"output_tokens\":{}", OPENAI.output)),
        "{}",
        outcome.output
    );
    assert_no_credential_of_the_caller(&world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_runs_a_tool_and_reports_its_output() {
    if skipped() {
        return;
    }
    let world = World::new().await;
    let outcome = codex(&world, GPT, "TOOL_PLEASE compute the answer", false).await;
    assert_round_trip(&world, &outcome).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_runs_a_tool_over_a_websocket() {
    if skipped() {
        return;
    }
    let world = World::new().await;
    let outcome = codex(&world, GPT, "TOOL_PLEASE compute the answer", true).await;
    assert_round_trip(&world, &outcome).await;
    // The vendor has a WebSocket itself, and hears only what is new.
    let received = world.simulator.received();
    assert!(received.iter().all(|received| received.over_websocket()));
    assert_eq!(world.simulator.handshakes().len(), 1);
    let second = received[1].json();
    assert!(second["previous_response_id"].is_string(), "{second}");
    assert_eq!(second["input"].as_array().unwrap().len(), 1, "{second}");
    // One connection, and nothing beside it: the warm-up and each request with only what is new were understood.
    let metrics = world.gateway.send(&Request::get("/metrics")).await.text();
    assert!(
        metrics.contains("\ntollgate_websockets_total 1\n"),
        "{metrics}"
    );
    assert!(
        !outcome.errors.contains("websocket") && !outcome.errors.contains("WebSocket"),
        "{}",
        outcome.errors
    );
    assert_no_credential_of_the_caller(&world);
}

/// The client ran the tool and showed its output; the vendor saw the whole conversation, twice, and was paid for both.
async fn assert_round_trip(world: &World, outcome: &Outcome) {
    assert!(
        outcome.output.contains(TOLD) && outcome.output.contains(ANSWER),
        "{}",
        outcome.output
    );
    let bodies = sent(&world.simulator.received(), "/v1/responses");
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    let before = bodies[0]["input"].as_array().unwrap();
    let items = bodies[1]["input"].as_array().unwrap();
    assert_eq!(items[..before.len()], before[..]);
    let items = bodies[1]["input"].as_array().unwrap();
    let call = items
        .iter()
        .find(|item| item["type"] == "function_call")
        .expect("the call comes back");
    let output = items
        .iter()
        .find(|item| item["type"] == "function_call_output")
        .expect("with its output");
    assert_eq!(call["call_id"], output["call_id"]);
    assert!(output["output"].to_string().contains(ANSWER), "{output}");
    let rows = world.management().wait_for_rows(2).await;
    assert!(
        rows.iter()
            .all(|row| row.tokens() == OPENAI && row.status() == 200),
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_code_gets_text() {
    if skipped() {
        return;
    }
    let world = World::new().await;
    let outcome = claude(&world, CLAUDE, "Say hello.", &[]).await;
    assert!(
        outcome.output.contains(HELLO),
        "{}\n{}",
        outcome.output,
        outcome.errors
    );
    let bodies = sent(&world.simulator.received(), "/v1/messages");
    assert_eq!(bodies.len(), 1);
    assert_eq!(
        (&bodies[0]["stream"], &bodies[0]["model"]),
        (&true.into(), &CLAUDE.into())
    );
    let received = world.simulator.last();
    assert!(
        received
            .header("anthropic-beta")
            .is_some_and(|beta| beta.contains("claude-code")),
        "{:?}",
        received.headers
    );
    assert_no_credential_of_the_caller(&world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_code_runs_a_tool_and_reports_its_output() {
    if skipped() {
        return;
    }
    let world = World::new().await;
    let streamed = [
        "--output-format",
        "stream-json",
        "--verbose",
        "--include-partial-messages",
    ];
    let outcome = claude(&world, CLAUDE, "TOOL_PLEASE compute the answer", &streamed).await;
    assert!(
        outcome.output.contains(TOLD) && outcome.output.contains(ANSWER),
        "{}",
        outcome.output
    );
    assert!(
        outcome.output.contains("text_delta"),
        "nothing was streamed: {}",
        outcome.output
    );
    let bodies = sent(&world.simulator.received(), "/v1/messages");
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    let parts = bodies[1]["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|turn| turn["content"].as_array())
        .flatten();
    let parts: Vec<_> = parts.collect();
    let call = parts
        .iter()
        .find(|part| part["type"] == "tool_use")
        .expect("the call comes back");
    let result = parts
        .iter()
        .find(|part| part["type"] == "tool_result")
        .expect("with its result");
    assert_eq!(call["id"], result["tool_use_id"]);
    assert!(result["content"].to_string().contains(ANSWER), "{result}");
    let thinking = parts
        .iter()
        .find(|part| part["type"] == "thinking")
        .expect("the thinking comes back");
    assert_eq!(thinking["signature"], "c2lnbmVkIGJ5IHRoZSBzaW11bGF0b3I=");
    let rows = world.management().wait_for_rows(2).await;
    assert!(
        rows.iter()
            .all(|row| row.tokens() == ANTHROPIC && row.status() == 200),
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_works_on_vendors_that_speak_only_chat_completions_or_only_messages() {
    if skipped() {
        return;
    }
    let world = foreign().await;
    for (model, path) in [
        ("chat-only", "/v1/chat/completions"),
        ("messages-only", "/v1/messages"),
    ] {
        world.simulator.forget();
        let outcome = codex(&world, model, "Say hello.", false).await;
        assert!(
            outcome.output.contains(HELLO),
            "{model}: {}\n{}",
            outcome.output,
            outcome.errors
        );
        assert!(
            outcome.output.contains("\"output_tokens\":1"),
            "{model}: no usage: {}",
            outcome.output
        );
        assert_eq!(sent(&world.simulator.received(), path).len(), 1, "{model}");
        let outcome = codex(&world, model, "TOOL_PLEASE compute the answer", false).await;
        assert!(
            outcome.output.contains(TOLD) && outcome.output.contains(ANSWER),
            "{model}: {}\n{}",
            outcome.output,
            outcome.errors
        );
        let bodies = sent(&world.simulator.received(), path);
        assert_eq!(bodies.len(), 3, "{model}: {bodies:?}");
        assert!(bodies[2].to_string().contains(ANSWER), "{model}");
    }
    assert_no_credential_of_the_caller(&world);
    let rows = world.management().wait_for_rows(6).await;
    assert!(
        rows.iter().all(|row| row.status() == 200
            && !row.estimated()
            && row.text("operation") == "responses"),
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_code_works_on_vendors_that_speak_only_responses_or_only_chat_completions() {
    if skipped() {
        return;
    }
    let world = foreign().await;
    for (model, path) in [
        ("responses-only", "/v1/responses"),
        ("chat-only", "/v1/chat/completions"),
    ] {
        world.simulator.forget();
        let outcome = claude(&world, model, "Say hello.", &[]).await;
        assert!(
            outcome.output.contains(HELLO),
            "{model}: {}\n{}",
            outcome.output,
            outcome.errors
        );
        let streamed = [
            "--output-format",
            "stream-json",
            "--verbose",
            "--include-partial-messages",
        ];
        let outcome = claude(&world, model, "TOOL_PLEASE compute the answer", &streamed).await;
        assert!(
            outcome.output.contains(TOLD) && outcome.output.contains(ANSWER),
            "{model}: {}\n{}",
            outcome.output,
            outcome.errors
        );
        assert!(
            outcome.output.contains("text_delta"),
            "{model}: nothing was streamed: {}",
            outcome.output
        );
        let bodies = sent(&world.simulator.received(), path);
        assert!(bodies.len() >= 3, "{model}: {bodies:?}");
        assert!(
            bodies[bodies.len() - 1].to_string().contains(ANSWER),
            "{model}"
        );
    }
    assert_no_credential_of_the_caller(&world);
}
