//! What management did is told, entry by entry, across kill -9; what was used goes to other programs as it was written.

use std::process::Command;

use serde_json::{Value, json};
use tollgate_tests::clients::run;
use tollgate_tests::endpoints::ENDPOINTS;
use tollgate_tests::gateway::Setup;
use tollgate_tests::places;
use tollgate_tests::wire::{self, Reply, Request};
use tollgate_tests::world::{ALICE, World};

use crate::policies::weekday;

async fn entries(world: &World) -> Vec<Value> {
    let page = world.management().get("/api/audit?limit=1000").await;
    page["entries"].as_array().unwrap().clone()
}

/// Runs `tollgate audit …` beside the running gateway: whether it is content, and what it prints.
fn audit(world: &World, arguments: &[&str]) -> (bool, String) {
    let management = format!("http://{}", world.management().address());
    let mut command = Command::new(places::binary());
    command
        .args(["audit", "--management", &management])
        .args(arguments)
        .env("TOLLGATE_TOKEN", world.management().token());
    let home = tempfile::tempdir().unwrap();
    let outcome = run(&mut command, home.path()).unwrap();
    (outcome.success, outcome.output)
}

async fn exported(world: &World, query: &str) -> Reply {
    let management = world.management();
    let path = format!("/api/usage/export?{query}");
    let request = Request::get(&path).bearer(management.token());
    let reply = wire::send(management.address(), &request).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    reply
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acts_are_told_without_secrets_and_the_log_is_whole_across_kill_9() {
    let mut world = World::new().await;
    let before = entries(&world).await.len();
    let key = world.management().key(ALICE).await;
    world.gateway.keep_secret(&key.secret);
    for round in 0..3 {
        world
            .management()
            .change(ALICE, json!({ "limits": { "rpm": 1_000 + round } }))
            .await;
        world.gateway.kill();
        world.gateway.restart().await;
    }
    world.management().revoke(&key).await;
    let told = entries(&world).await.split_off(before);
    let acts: Vec<_> = told
        .iter()
        .map(|entry| entry["act"].as_str().unwrap())
        .collect();
    assert_eq!(
        acts,
        [
            "key.create",
            "account.change",
            "account.change",
            "account.change",
            "key.revoke"
        ]
    );
    assert_eq!(told[1]["subject"]["path"], ALICE);
    assert_eq!(told[2]["changes"]["limits/rpm"]["from"], 1_000);
    let text = Value::from(told).to_string();
    assert!(!text.contains(&key.secret) && !text.contains(world.management().token()));
    let file = world.gateway.folder().join("checkpoint.json");
    let file = file.to_str().unwrap();
    let (content, _) = audit(&world, &["checkpoint", "--output", file]);
    assert!(content);
    let (content, said) = audit(&world, &["verify", "--checkpoint", file]);
    assert!(content, "{said}");
    // A checkpoint of a log that this one is not.
    let text = std::fs::read_to_string(file).unwrap();
    let mut forged: Value = serde_json::from_str(&text).unwrap();
    forged["sequence"] = json!(forged["sequence"].as_u64().unwrap() + 1);
    std::fs::write(file, forged.to_string()).unwrap();
    assert!(!audit(&world, &["verify", "--checkpoint", file]).0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_policy_refused_on_any_endpoint_is_in_the_log_after_a_stop() {
    let mut world = World::with(Setup::new(&["openai", "anthropic", "office-hours"])).await;
    // Three days off: no test lasts so long, and no night shift reaches over.
    let closed = json!({ "zone": "UTC", "days": [(weekday() + 2) % 7 + 1] });
    let management = world.management();
    management
        .policy("hours", "office-hours", "root/research", closed)
        .await;
    for endpoint in &ENDPOINTS {
        assert_eq!(world.ask(endpoint, false).await.status(), 403);
    }
    world.gateway.terminate();
    assert!(world.gateway.ended().await.success());
    world.gateway.restart().await;
    let mut told = entries(&world).await;
    told.retain(|entry| entry["act"] == "request.deny");
    let [entry] = &told[..] else {
        panic!("one key, one policy, one reason: {told:?}")
    };
    assert_eq!(entry["subject"]["path"], ALICE);
    let said = &entry["changes"];
    assert_eq!(said["requests"], ENDPOINTS.len());
    assert_eq!(said["policy"], "hours");
    assert_eq!(said["component"], "office-hours");
    assert_eq!(said["reason"], "outside-office-hours");
    let (content, said) = audit(&world, &["verify"]);
    assert!(content, "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_is_exported_row_by_row_with_what_it_cost() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        assert_eq!(world.ask(endpoint, false).await.status(), 200);
    }
    let rows = world.management().wait_for_rows(ENDPOINTS.len()).await;
    let charged: u64 = rows.iter().map(|row| row.charged()).sum();
    let jsonl = exported(&world, "format=jsonl").await.text();
    let lines: Vec<Value> = jsonl
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.is_sorted_by_key(|line| line["admitted_ms"].as_u64()));
    assert_eq!(lines.len(), rows.len());
    for row in &rows {
        assert!(lines.contains(&row.0), "rows are as the API shows them");
    }
    let csv = exported(&world, "format=csv&account=root/research").await;
    assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
    assert_eq!(csv.text().lines().count(), 1 + rows.len());
    let otel = exported(&world, "format=otel").await.text();
    let lines = otel.lines().map(|line| serde_json::from_str(line).unwrap());
    let attributes: Vec<Value> = lines.collect();
    assert_eq!(attributes.len(), rows.len());
    let sum = |name: &str| -> u64 { attributes.iter().filter_map(|one| one[name].as_u64()).sum() };
    assert_eq!(sum("tollgate.charged"), charged);
    let output: u64 = rows.iter().map(|row| row.tokens().output).sum();
    assert_eq!(sum("gen_ai.usage.output_tokens"), output);
    let metrics = world.gateway.send(&Request::get("/metrics")).await.text();
    let series = "gen_ai_server_request_duration_seconds_count{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"anthropic\"} 1";
    assert!(metrics.contains(series), "{metrics}");
    let focus = exported(&world, "format=focus").await.text();
    let mut lines = focus.lines();
    assert!(lines.next().unwrap().starts_with("BilledCost,"));
    let billed: u64 = lines
        .map(|line| {
            let cost = line.split(',').next().unwrap();
            cost.replace('.', "").parse::<u64>().unwrap()
        })
        .sum();
    assert_eq!(billed, charged, "micro-units, with six decimals each");
}
