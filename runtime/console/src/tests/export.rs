//! Usage as a stream: every row once, in the form that was asked for, or a refusal with its field.

use serde_json::Value;

use super::World;

async fn exported(world: &World, query: &str) -> String {
    let path = format!("/api/usage/export?{query}");
    let (status, text) = world.send(world.request("GET", &path, None)).await;
    assert_eq!(status, 200, "{text}");
    text
}

#[tokio::test]
async fn rows_come_in_each_format_and_only_those_that_fit() {
    let world = World::new();
    world.furnish().await;
    world.used("root/sales");
    let csv = exported(&world, "format=csv").await;
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("request_id,admitted,ended,account"));
    assert!(lines[1].contains("root/sales"));
    let jsonl = exported(&world, "format=jsonl&account=root/sales&tag=cc%3D7").await;
    let row: Value = serde_json::from_str(jsonl.trim_end()).unwrap();
    assert_eq!(row, world.get("/api/usage").await["rows"][0]);
    // Nothing was used by that row: no charge.
    assert_eq!(exported(&world, "format=focus").await.lines().count(), 1);
    for none in ["model=other", "until=2020-01-01T00:00:00Z", "tag=cc%3D8"] {
        let query = format!("format=jsonl&{none}");
        assert_eq!(exported(&world, &query).await, "", "{none}");
    }
}

#[tokio::test]
async fn more_rows_than_fit_into_memory_pieces_come_once_each() {
    let world = World::new();
    world.furnish().await;
    let mut journal = world.control.journal_writer().unwrap();
    for number in 0..3_000_u64 {
        let row = tollgate_governance::UsageRow {
            request: uuid::Uuid::from_u128(number.into()),
            admitted_ms: 1_700_000_000_000 + number,
            ..Default::default()
        };
        journal.append(&row, &[]).unwrap();
    }
    drop(journal);
    world.rows_are_stored();
    let text = exported(&world, "format=jsonl").await;
    assert!(text.len() > 10 * (64 << 10), "several pieces");
    let times: Vec<u64> = text
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            row["admitted_ms"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(times.len(), 3_000);
    assert!(times.is_sorted_by(|a, b| a < b), "oldest first, none twice");
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused_with_its_field() {
    let world = World::new();
    for (query, field) in [
        ("format=xlsx", "format"),
        ("account=root/none", "account"),
        ("since=yesterday", "since"),
        ("key=x", "key"),
        ("limit=5", "limit"),
    ] {
        let path = format!("/api/usage/export?{query}");
        let (status, named, _) = world.refused("GET", &path, Value::Null).await;
        assert_eq!((status, named.as_str()), (400, field), "{query}");
    }
}
