//! What Codex makes of the catalogue that it fetches from the gateway: the tools, efforts and pictures that it sends, and the
//! window that it counts with.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tollgate_tests::clients::{Outcome, run, skipped};
use tollgate_tests::endpoints::GPT;
use tollgate_tests::wire::Request;
use tollgate_tests::world::World;

use super::{IMAGE, VENDORS, vendors};
use crate::command_line_clients::codex_in;

/// The share of a window that Codex gives itself, of a hundred.
const COUNTED_WITH: u64 = 95;

/// Codex, told to fetch the catalogue, with a picture to look at.
async fn codex(world: &World, home: &Path, model: &str) -> Outcome {
    let mut command = codex_in(home, world, model, false);
    let file = home.join("config.toml");
    // The provider's table is the last one.
    let config = format!(
        "{}model_catalog_url = \"{}/v1/models\"\n[features]\napi_key_model_discovery = true\n",
        std::fs::read_to_string(&file).unwrap(),
        world.gateway.base_url()
    );
    std::fs::write(file, config).unwrap();
    std::fs::write(home.join("seen.png"), STANDARD.decode(IMAGE).unwrap()).unwrap();
    command.args(["--image", "seen.png", "--", "Say hello."]);
    let home = home.to_owned();
    tokio::task::spawn_blocking(move || run(&mut command, &home))
        .await
        .unwrap()
        .unwrap()
}

/// What the gateway tells of a model.
async fn entry(world: &World, model: &str) -> Value {
    let request = Request::get("/v1/models?client_version=0.169.0").bearer(&world.key.secret);
    let list = world.gateway.send(&request).await.json();
    let entries = list["models"].as_array().unwrap().iter();
    let mut found = entries.filter(|entry| entry["slug"] == model);
    found.next().unwrap_or_else(|| panic!("no {model}")).clone()
}

/// The windows that Codex wrote down in its sessions.
fn windows(folder: &Path) -> Vec<u64> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(windows(&path));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        found.extend(lines.filter_map(|line| line["payload"]["model_context_window"].as_u64()));
    }
    found
}

/// Whether a request offers a tool of this name, as any dialect has it.
fn offers(body: &Value, name: &str) -> bool {
    let tools = body["tools"].as_array().unwrap();
    tools.iter().any(|tool| {
        let names = [
            &tool["name"],
            &tool["function"]["name"],
            &tool["custom"]["name"],
        ];
        names.into_iter().any(|known| known == name)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_picks_tools_efforts_and_window_by_the_catalogue_that_it_fetches() {
    if skipped() {
        return;
    }
    let world = vendors().await;
    let foreign = VENDORS.iter().map(|vendor| vendor.model);
    // The last is one of which nothing is known but its window.
    for model in foreign.chain([GPT]) {
        world.simulator.forget();
        let told = entry(&world, model).await;
        let home = tempfile::tempdir().unwrap();
        let outcome = codex(&world, home.path(), model).await;
        let said = format!("{model}:\n{}\n{}", outcome.output, outcome.errors);
        assert!(outcome.success, "{said}");
        assert!(!outcome.output.contains("fallback metadata"), "{said}");

        let window = told["context_window"].as_u64().unwrap() * COUNTED_WITH / 100;
        let windows = windows(&home.path().join("sessions"));
        assert!(
            !windows.is_empty() && windows.iter().all(|known| *known == window),
            "{model}: {windows:?}, not {window}"
        );

        let received = world.simulator.received();
        assert_eq!(received.len(), 1, "{said}");
        let body = received[0].json();
        assert!(offers(&body, "exec_command"), "{model}: {body}");
        assert_eq!(
            offers(&body, "apply_patch"),
            told["apply_patch_tool_type"] == "freeform",
            "{model}: {body}"
        );
        let sees = told["input_modalities"]
            .as_array()
            .unwrap()
            .contains(&json!("image"));
        assert_eq!(received[0].text().contains(IMAGE), sees, "{model}: {body}");
        let level = &told["default_reasoning_level"];
        match received[0].path() {
            "/v1/responses" => {
                assert_eq!(&body["reasoning"]["effort"], level, "{model}: {body}");
                assert!(body["text"]["verbosity"].is_null(), "{model}: {body}");
                // What some accounts are refused is not asked for unless the catalogue says so.
                assert_eq!(
                    body["reasoning"]["summary"] == "auto",
                    told["default_reasoning_summary"] == "auto",
                    "{model}: {body}"
                );
            }
            "/v1/chat/completions" => assert_eq!(&body["reasoning_effort"], level, "{body}"),
            // A budget stands for the effort there.
            _ => assert_eq!(body["thinking"]["budget_tokens"], 10_240, "{body}"),
        }
    }
}
