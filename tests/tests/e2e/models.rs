//! The model list, in the shape that its caller wants.

use serde_json::{Value, json};
use tollgate_tests::endpoints::{CLAUDE, EMBED, GPT};
use tollgate_tests::wire::Request;
use tollgate_tests::world::{ALICE, World, model, upstream};

const SLASHED: &str = "openai/gpt-5.2";

async fn world() -> World {
    let world = World::new().await;
    let record = upstream(&world.simulator, "openai", &[GPT, EMBED, SLASHED]);
    world.management().upstream("openai", record).await;
    world
}

async fn get(world: &World, path: &str, headers: &[(&str, &str)]) -> Value {
    let request = headers
        .iter()
        .fold(Request::get(path), |request, (name, value)| {
            request.header(name, value)
        });
    let reply = world.gateway.send(&request.bearer(&world.key.secret)).await;
    assert_eq!(reply.status(), 200, "{path}: {}", reply.text());
    assert!(reply.header("x-request-id").is_some());
    reply.json()
}

fn ids<'a>(list: &'a Value, name: &str) -> Vec<&'a str> {
    let entries = list
        .as_array()
        .unwrap_or_else(|| panic!("not a list: {list}"));
    let mut ids: Vec<&str> = entries
        .iter()
        .map(|entry| entry[name].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids
}

fn has_all(ids: &[&str]) {
    for wanted in [GPT, CLAUDE, EMBED, SLASHED] {
        assert_eq!(
            ids.iter().filter(|id| **id == wanted).count(),
            1,
            "{wanted} in {ids:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_an_openai_list() {
    let world = world().await;
    for path in ["/v1/models", "/models"] {
        let list = get(&world, path, &[]).await;
        assert_eq!(list["object"], "list");
        has_all(&ids(&list["data"], "id"));
        for entry in list["data"].as_array().unwrap() {
            assert_eq!(entry["object"], "model", "{entry}");
            assert!(
                entry["created"].is_u64() && entry["owned_by"].is_string(),
                "{entry}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_an_anthropic_list() {
    let world = world().await;
    for path in ["/v1/models?limit=1000", "/models"] {
        let list = get(&world, path, &[("anthropic-version", "2023-06-01")]).await;
        has_all(&ids(&list["data"], "id"));
        assert_eq!(list["has_more"], false, "{list}");
        let data = list["data"].as_array().unwrap();
        assert_eq!(list["first_id"], data[0]["id"]);
        assert_eq!(list["last_id"], data[data.len() - 1]["id"]);
        for entry in data {
            assert_eq!(entry["type"], "model", "{entry}");
            assert!(
                entry["display_name"].is_string() && entry["created_at"].is_string(),
                "{entry}"
            );
        }
    }
    let page = get(
        &world,
        "/v1/models?limit=2",
        &[("anthropic-version", "2023-06-01")],
    )
    .await;
    assert_eq!(page["data"].as_array().unwrap().len(), 2);
    assert_eq!(page["has_more"], true);
    let after = format!(
        "/v1/models?limit=100&after_id={}",
        page["last_id"].as_str().unwrap()
    );
    let rest = get(&world, &after, &[("anthropic-version", "2023-06-01")]).await;
    let together = [ids(&page["data"], "id"), ids(&rest["data"], "id")].concat();
    has_all(&together);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_codex_wants_it() {
    let world = world().await;
    let list = get(&world, "/v1/models?client_version=0.169.0", &[]).await;
    has_all(&ids(&list["models"], "slug"));
    for entry in list["models"].as_array().unwrap() {
        for name in [
            "display_name",
            "supported_reasoning_levels",
            "shell_type",
            "visibility",
            "supported_in_api",
            "priority",
            "base_instructions",
            "support_verbosity",
            "truncation_policy",
            "supports_parallel_tool_calls",
            "experimental_supported_tools",
        ] {
            assert!(
                entry.get(name).is_some_and(|value| !value.is_null()),
                "no {name} in {entry}"
            );
        }
        if entry["slug"].as_str().unwrap().contains("simulated") {
            assert_eq!(entry["context_window"], 200_000, "{entry}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_list_says_what_the_manifest_says_of_a_model_and_nothing_else() {
    let world = world().await;
    let entry = |list: &Value, members: &str, name: &str, id: &str| {
        let entries = list[members].as_array().unwrap().iter();
        let mut found = entries.filter(|entry| entry[name] == id);
        found
            .next()
            .unwrap_or_else(|| panic!("no {id} in {list}"))
            .clone()
    };

    let list = get(&world, "/v1/models", &[]).await;
    let known = entry(&list, "data", "id", "claude-opus-4-6");
    assert_eq!(known["context_length"], 1_000_000, "{known}");
    assert_eq!(known["max_completion_tokens"], 128_000, "{known}");
    assert_eq!(
        known["architecture"]["input_modalities"],
        json!(["text", "image"])
    );
    assert_eq!(
        known["reasoning"],
        json!({ "mandatory": false, "supported_efforts": ["max", "high", "medium", "low"] })
    );
    let parameters = known["supported_parameters"].as_array().unwrap();
    for parameter in ["tools", "parallel_tool_calls", "reasoning_effort"] {
        assert!(parameters.contains(&json!(parameter)), "{known}");
    }
    let embeds = entry(&list, "data", "id", "text-embedding-3-small");
    assert_eq!(
        embeds["architecture"]["output_modalities"],
        json!(["embeddings"])
    );
    // Of the operator's own model nothing is known but what the operator said.
    let own = entry(&list, "data", "id", GPT);
    assert_eq!(own["context_length"], 200_000, "{own}");
    assert!(own.get("supported_parameters").is_none(), "{own}");

    let anthropic = [("anthropic-version", "2023-06-01")];
    let list = get(&world, "/v1/models?limit=1000", &anthropic).await;
    let known = entry(&list, "data", "id", "claude-opus-4-6");
    assert_eq!(known["max_input_tokens"], 1_000_000, "{known}");
    assert_eq!(known["max_tokens"], 128_000, "{known}");
    let supports = |id: &str, pointer: &str| {
        let known = entry(&list, "data", "id", id);
        let found = known["capabilities"].pointer(pointer);
        found
            .and_then(|support| support["supported"].as_bool())
            .unwrap_or_else(|| panic!("{pointer} of {known}"))
    };
    for (id, xhigh, off) in [
        ("claude-opus-4-6", false, true),
        ("claude-opus-4-7", true, true),
        ("claude-opus-5-5", true, false),
    ] {
        assert_eq!(supports(id, "/effort/xhigh"), xhigh, "{id}");
        assert_eq!(supports(id, "/thinking/types/disabled"), off, "{id}");
        assert!(supports(id, "/image_input"), "{id}");
    }
    let own = entry(&list, "data", "id", CLAUDE);
    assert!(own.get("capabilities").is_none(), "{own}");

    let list = get(&world, "/v1/models?client_version=0.169.0", &[]).await;
    let known = entry(&list, "models", "slug", "claude-opus-4-6");
    assert_eq!(known["context_window"], 1_000_000, "{known}");
    assert_eq!(known["supports_parallel_tool_calls"], true, "{known}");
    let levels = known["supported_reasoning_levels"].as_array().unwrap();
    let levels: Vec<_> = levels.iter().map(|level| &level["effort"]).collect();
    assert_eq!(levels, ["low", "medium", "high", "max"]);
    let embeds = entry(&list, "models", "slug", "text-embedding-3-small");
    assert_eq!(embeds["visibility"], "hide", "{embeds}");
}

/// A model of one's own server is in no manifest: without its abilities Codex offers no efforts, and a bridge drops them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_model_can_do_the_operator_says_where_no_manifest_does_and_both_lists_and_the_bridge_know()
 {
    let world = World::new().await;
    let management = world.management();
    let record = |abilities: Value| {
        let mut record = upstream(&world.simulator, "openai", &[]);
        let mut own = model("own-model");
        own["operations"] = json!(["chat-completions"]);
        own["abilities"] = abilities;
        record["models"] = json!([own]);
        record
    };
    for (member, name) in [("abilities", "resoning"), ("operations", "chat")] {
        let mut misspelled = record(Value::Null);
        misspelled["models"][0][member] = json!([name]);
        let (status, told) = management
            .call("PUT", "/api/upstreams/own", Some(&misspelled))
            .await;
        let field = json!(format!("models.{member}"));
        assert_eq!((status, &told["error"]["field"]), (400, &field), "{told}");
        assert!(told.to_string().contains(name), "{told}");
    }
    for (abilities, effort, offered) in [
        (
            json!(["reasoning", "vision", "effort-low", "effort-high"]),
            Some("high"),
            2,
        ),
        (Value::Null, None, 0),
    ] {
        management.upstream("own", record(abilities)).await;
        let list = get(&world, "/v1/models?client_version=0.169.0", &[]).await;
        let mut models = list["models"].as_array().unwrap().iter();
        let own = models.find(|entry| entry["slug"] == "own-model").unwrap();
        let levels = own["supported_reasoning_levels"].as_array().unwrap();
        assert_eq!(levels.len(), offered, "{own}");
        let asked =
            json!({ "model": "own-model", "input": "x", "reasoning": { "effort": "high" } });
        let reply = world.post("/v1/responses", asked.to_string()).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let sent = world.simulator.last().json();
        assert_eq!(sent["reasoning_effort"].as_str(), effort, "{sent}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_model_by_its_name_slashes_and_all() {
    let world = world().await;
    for path in [
        "/v1/models/openai/gpt-5.2",
        "/v1/models/openai%2Fgpt-5.2",
        "/models/openai/gpt-5.2",
    ] {
        let model = get(&world, path, &[]).await;
        assert_eq!(
            (&model["id"], &model["object"]),
            (&json!(SLASHED), &json!("model")),
            "{path}"
        );
    }
    let model = get(
        &world,
        &format!("/v1/models/{CLAUDE}"),
        &[("anthropic-version", "2023-06-01")],
    )
    .await;
    assert_eq!(
        (&model["id"], &model["type"]),
        (&json!(CLAUDE), &json!("model"))
    );
    let reply = world
        .gateway
        .send(&Request::get("/v1/models/no/such").bearer(&world.key.secret))
        .await;
    assert_eq!(
        (reply.status(), &reply.json()["error"]["code"]),
        (404, &json!("model_not_found")),
        "{}",
        reply.text()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_shows_what_the_account_may_use_and_needs_a_key() {
    let world = world().await;
    world
        .management()
        .change("root/research", json!({ "models": ["gpt-*", "openai/*"] }))
        .await;
    world
        .management()
        .change(ALICE, json!({ "models": ["gpt-*", "claude-*"] }))
        .await;
    let list = get(&world, "/v1/models", &[]).await;
    let shown = ids(&list["data"], "id");
    assert!(shown.contains(&GPT), "{shown:?}");
    assert!(shown.iter().all(|id| id.starts_with("gpt-")), "{shown:?}");
    let hidden = world
        .gateway
        .send(&Request::get(&format!("/v1/models/{CLAUDE}")).bearer(&world.key.secret))
        .await;
    assert_eq!(hidden.status(), 404);
    for (request, wanted) in [
        (Request::get("/v1/models"), json!("invalid_api_key")),
        (
            Request::get("/v1/models").header("anthropic-version", "2023-06-01"),
            json!("authentication_error"),
        ),
    ] {
        let reply = world.gateway.send(&request).await;
        let error = &reply.json()["error"];
        assert_eq!(reply.status(), 401);
        assert!(
            error["code"] == wanted || error["type"] == wanted,
            "{}",
            reply.text()
        );
    }
}
