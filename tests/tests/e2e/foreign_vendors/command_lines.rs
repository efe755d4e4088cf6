//! Codex, Claude Code and opencode.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tollgate_tests::clients::{Clients, Outcome, Running, skipped};
use tollgate_tests::simulator::{Ending, Received};
use tollgate_tests::world::World;

use super::{BROKE_OFF, IMAGE, VENDORS, Vendor, schema, vendors};
use crate::command_line_clients::{claude_in, codex_in};

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Codex,
    /// Over one connection that it keeps.
    CodexOverWebSocket,
    ClaudeCode,
    Opencode,
}

/// What a client is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// Two rounds of two commands at once.
    Rounds,
    /// To look at a picture, and to answer with an object.
    ImageAndObject,
    /// An answer that its vendor cuts.
    Broken,
    /// An answer that hangs, which the user interrupts.
    Interrupted,
}

/// Makes a test of each row. Text, streams and a single tool are with the client's own tests.
macro_rules! command_lines {
    ($($test:ident: $client:expr, [$($wish:expr),*];)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            works_on_every_foreign_vendor($client, &[$($wish),*]).await;
        }
    )*};
}

command_lines! {
    codex_runs_tools_in_rounds: Client::Codex, [Wish::Rounds];
    codex_sees_and_answers_with_an_object: Client::Codex, [Wish::ImageAndObject];
    codex_tells_of_failures_and_can_be_interrupted: Client::Codex, [Wish::Broken, Wish::Interrupted];
    codex_over_a_websocket: Client::CodexOverWebSocket, [Wish::Rounds, Wish::Broken, Wish::Interrupted];
    claude_code_runs_tools_in_rounds: Client::ClaudeCode, [Wish::Rounds];
    claude_code_sees_and_answers_with_an_object: Client::ClaudeCode, [Wish::ImageAndObject];
    claude_code_tells_of_failures_and_can_be_interrupted: Client::ClaudeCode, [Wish::Broken, Wish::Interrupted];
    opencode: Client::Opencode, [Wish::Rounds];
}

async fn works_on_every_foreign_vendor(client: Client, wishes: &[Wish]) {
    if skipped() {
        return;
    }
    let world = vendors().await;
    for vendor in &VENDORS {
        if client.own() == Some(vendor.operation) {
            continue;
        }
        for wish in wishes {
            let what = format!("{client:?}, {wish:?} on {}", vendor.operation);
            world.simulator.forget();
            let before = world.management().rows().await.len();
            let outcome = outcome(&world, client, *wish, vendor).await;
            let said = format!("{what}:\n{}\n{}", outcome.output, outcome.errors);
            let received = world.simulator.received();
            for received in &received {
                assert_eq!(received.path(), vendor.path(), "{what}");
                vendor.assert_not_anothers(&received.text(), &what);
                let headers = format!("{:?}", received.headers);
                assert!(!headers.contains(&world.key.secret), "{what}: {headers}");
            }
            match wish {
                Wish::Rounds => {
                    for number in 1..=4 {
                        let wanted = format!("call {number} gave {}", number * 11);
                        assert!(
                            outcome.success && outcome.output.contains(&wanted),
                            "{said}"
                        );
                    }
                    assert!(outcome.output.contains("The tools said: "), "{said}");
                    assert_rounds(vendor, &received, &what);
                }
                Wish::ImageAndObject => {
                    assert!(outcome.success, "{said}");
                    let object = outcome.output.contains(r#""degrees":19"#)
                        || outcome.output.contains(r#"\"degrees\":19"#);
                    assert!(object, "{said}");
                    let first = &received[0];
                    assert!(first.text().contains(IMAGE), "{what}: {}", first.text());
                    if client == Client::Codex {
                        let body = first.json();
                        assert!(
                            schema(vendor, &body)["properties"]["degrees"].is_object(),
                            "{what}: {body}"
                        );
                    }
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
    }
}

impl Client {
    /// What the user reads of an answer that its vendor cut.
    fn told_of_a_cut(self) -> &'static str {
        match self {
            // It asks once more, for a whole answer, and tells of that: the vendor hangs up on it.
            Self::ClaudeCode => "no upstream can serve this request now",
            _ => BROKE_OFF,
        }
    }

    /// The dialect it speaks; opencode speaks whichever is set.
    fn own(self) -> Option<&'static str> {
        match self {
            Self::Codex | Self::CodexOverWebSocket => Some("responses"),
            Self::ClaudeCode => Some("messages"),
            Self::Opencode => None,
        }
    }

    /// The command that does it.
    fn command(self, home: &Path, world: &World, vendor: &Vendor, wish: Wish) -> Command {
        let prompt = match wish {
            Wish::Rounds => "ROUNDS_PLEASE compute the answers",
            Wish::ImageAndObject => "OBJECT_PLEASE, for what you see",
            Wish::Broken => "BREAK_PLEASE",
            Wish::Interrupted => "HANG_PLEASE",
        };
        match self {
            Self::Codex | Self::CodexOverWebSocket => {
                let websocket = self == Self::CodexOverWebSocket;
                let mut command = codex_in(home, world, vendor.model, websocket);
                if wish == Wish::ImageAndObject {
                    std::fs::write(home.join("seen.png"), STANDARD.decode(IMAGE).unwrap()).unwrap();
                    std::fs::write(home.join("schema.json"), report().to_string()).unwrap();
                    command.args([
                        "--output-schema",
                        "schema.json",
                        "--image",
                        "seen.png",
                        "--",
                    ]);
                }
                command.arg(prompt);
                command
            }
            Self::ClaudeCode => {
                let mut command = claude_in(home, world, vendor.model);
                if wish == Wish::ImageAndObject {
                    return seeing(&command, home, prompt);
                }
                command.args(["-p", prompt]);
                command
            }
            Self::Opencode => opencode_in(home, world, vendor, prompt),
        }
    }
}

/// The schema of the answer that is wanted.
fn report() -> serde_json::Value {
    json!({
        "type": "object", "required": ["city", "degrees"], "additionalProperties": false,
        "properties": { "city": { "type": "string" }, "degrees": { "type": "number" } },
    })
}

/// Claude Code takes a picture only from its standard input.
fn seeing(claude: &Command, home: &Path, prompt: &str) -> Command {
    let source = json!({ "type": "base64", "media_type": "image/png", "data": IMAGE });
    let content =
        json!([{ "type": "text", "text": prompt }, { "type": "image", "source": source }]);
    let line = json!({ "type": "user", "message": { "role": "user", "content": content } });
    std::fs::write(home.join("input.jsonl"), format!("{line}\n")).unwrap();
    let schema = report().to_string();
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$0\" \"$@\" < input.jsonl"])
        .arg(claude.get_program())
        .args(claude.get_args());
    command.args([
        "-p",
        "--input-format",
        "stream-json",
        "--output-format",
        "stream-json",
        "--verbose",
    ]);
    command
        .args(["--json-schema", &schema])
        .current_dir(home)
        .env_clear();
    command.envs(
        claude
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command
}

/// opencode in a home of its own, on this vendor in a dialect that is not the vendor's.
fn opencode_in(home: &Path, world: &World, vendor: &Vendor, prompt: &str) -> Command {
    let package = match vendor.operation {
        "chat-completions" => "@ai-sdk/openai",
        "responses" => "@ai-sdk/anthropic",
        _ => "@ai-sdk/openai-compatible",
    };
    let options = json!({ "baseURL": format!("{}/v1", world.gateway.base_url()), "apiKey": world.key.secret });
    let models = json!({ vendor.model: { "name": vendor.model, "reasoning": true } });
    let provider = json!({ "npm": package, "name": "Gateway under test", "options": options, "models": models });
    let config =
        json!({ "share": "disabled", "permission": "allow", "provider": { "gateway": provider } });
    std::fs::write(home.join("opencode.json"), config.to_string()).unwrap();
    // It fetches the list of all models and a package for plugins, each of which it can do without.
    std::fs::write(home.join("models.json"), "{}").unwrap();
    std::fs::write(home.join(".npmrc"), "offline=true\n").unwrap();
    let project = home.join("project");
    std::fs::create_dir(&project).unwrap();
    let mut command = Clients::ensure().unwrap().node("opencode");
    command
        .env("HOME", home)
        .env("OPENCODE_CONFIG", home.join("opencode.json"))
        .env("OPENCODE_MODELS_PATH", home.join("models.json"))
        .envs(
            [
                "OPENCODE_DISABLE_AUTOUPDATE",
                "OPENCODE_DISABLE_DEFAULT_PLUGINS",
                "OPENCODE_DISABLE_LSP_DOWNLOAD",
                "OPENCODE_DISABLE_MODELS_FETCH",
                "OPENCODE_PURE",
            ]
            .map(|name| (name, "1")),
        )
        .current_dir(project)
        // With a title of ours it does not ask the model for one.
        .args(["run", "--format", "json", "--title", "Rounds", "--model"])
        .arg(format!("gateway/{}", vendor.model))
        .arg(prompt);
    command
}

/// Runs it to its end, which the user brings about where the answer hangs.
async fn outcome(world: &World, client: Client, wish: Wish, vendor: &Vendor) -> Outcome {
    let home = tempfile::tempdir().unwrap();
    let mut command = client.command(home.path(), world, vendor, wish);
    let running = Running::start(&mut command, home.path()).unwrap();
    if wish == Wish::Interrupted {
        world.simulator.wait_for(1).await;
        running.interrupt().unwrap();
    }
    tokio::task::spawn_blocking(move || running.finish())
        .await
        .unwrap()
        .unwrap()
}

/// The calls of a round came back together, each with its own result, and the vendor's reasoning with them.
fn assert_rounds(vendor: &Vendor, requests: &[Arc<Received>], what: &str) {
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
        // opencode's dialect on this vendor, and it alone, has no place for opaque reasoning.
        let lost = what.starts_with("Opencode") && vendor.operation == "messages";
        let kept = request.text().matches(vendor.reasoning).count();
        assert_eq!(
            kept,
            if lost { 0 } else { round },
            "{what}, round {round}: {body}"
        );
    }
}
