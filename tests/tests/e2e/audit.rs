//! What management did is told, entry by entry, across kill -9; what was used goes to other programs as it was written.

use std::process::Command;

use serde_json::{Value, json};
use tollgate_tests::endpoints::ENDPOINTS;
use tollgate_tests::places;
use tollgate_tests::wire::{self, Reply, Request};
use tollgate_tests::world::{ALICE, World};

async fn entries(world: &World) -> Vec<Value> {
    let page = world.management().get("/api/audit?limit=1000").await;
    page["entries"].as_array().unwrap().clone()
}

/// Runs `tollgate audit …` beside the running gateway: whether it is content, and what it prints.
fn audit(world: &World, arguments: &[&str]) -> (bool, String) {
    let management = format!("http://{}", world.management().address());
    let output = Command::new(places::binary())
        .args(["audit", "--management", &management])
        .args(arguments)
        .env("TOLLGATE_TOKEN", world.management().token())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), text)
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
