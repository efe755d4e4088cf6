//! docs/traps.md names a test for each trap: here is seen that each of them exists, and which of them was seen to fail.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What is in single backquotes and names a test: a file of Rust, a colon, the test.
fn named(page: &str) -> Vec<(&str, &str)> {
    page.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|span| span.rsplit_once(':'))
        .filter(|(file, _)| file.ends_with(".rs"))
        .collect()
}

/// Whether a test of this name stands in the source, an attribute that ends with `test` or begins with `tokio::test`
/// above it.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let signature = format!("fn {name}(");
    let found = lines.iter().position(|line| {
        let line = line.trim_start_matches("async ");
        line.starts_with(&signature)
    });
    found.is_some_and(|at| {
        let above = lines[..at].iter().rev();
        let mut attributes =
            above.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        attributes.any(|line| line.starts_with("#[test") || line.starts_with("#[tokio::test"))
    })
}

fn page(root: &Path) -> String {
    fs::read_to_string(root.join("docs/traps.md")).unwrap()
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn every_test_that_a_trap_names_exists() {
    let page = page(root());
    let missing: Vec<String> = named(&page)
        .into_iter()
        .filter(|(file, name)| {
            let source = fs::read_to_string(root().join(file)).unwrap_or_default();
            !has_test(&source, name)
        })
        .map(|(file, name)| format!("{file}:{name}"))
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

#[test]
fn every_trap_has_a_report_and_a_test() {
    let page = page(root());
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| what went wrong"))
        .collect();
    assert!(rows.len() > 30, "{} rows", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 3, "{row}");
        assert!(!cells[1].trim().is_empty(), "no report: {row}");
        assert!(!named(cells[2]).is_empty(), "no test: {row}");
    }
}

/// The tests of each table of guards, without the modules that they are in.
fn guarded() -> BTreeSet<String> {
    let tables = crate::guards::CRATES.map(|folder| root().join(folder).join("guards.toml"));
    let texts = tables.map(|table| fs::read_to_string(table).unwrap());
    let lines = texts.iter().flat_map(|text| text.lines());
    lines
        .filter_map(|line| line.strip_prefix("test = \"")?.strip_suffix('"'))
        .filter_map(|test| test.rsplit("::").next())
        .map(str::to_owned)
        .collect()
}

/// What goes wrong with money, usage and tenants unseen is dear: there a test that exists is not enough.
#[test]
fn every_trap_of_limits_usage_and_tenants_has_a_test_that_was_seen_to_fail() {
    let (page, guarded) = (page(root()), guarded());
    for section in [
        "Budgets, quotas, limits",
        "Lost, doubled or wrong usage",
        "Keys and tenants",
    ] {
        let (_, rest) = page.split_once(&format!("\n## {section}\n")).unwrap();
        let table = rest.split("\n#").next().unwrap();
        let rows: Vec<&str> = table.lines().filter(|line| line.contains(".rs:")).collect();
        assert!(rows.len() >= 5, "{section}: {} rows", rows.len());
        for row in rows {
            let mut tests = named(row).into_iter();
            assert!(
                tests.any(|(_, name)| guarded.contains(name)),
                "no guard: {row}"
            );
        }
    }
}

#[test]
fn a_test_is_one_only_with_its_attribute() {
    let source =
        "fn a() {}\n#[test]\nfn b() {}\n    #[tokio::test(x)]\n    async fn c() {\n// fn d(\n";
    let has = ["a", "b", "c", "d", "e"].map(|name| has_test(source, name));
    assert_eq!(has, [false, true, true, false, false]);
    assert_eq!(named("`x.rs:a` `b:c` `y.rs`"), [("x.rs", "a")]);
}
