//! The audit log and exports on the command line, on a running gateway.

use serde_json::Value;

use crate::place::{Place, row};

#[test]
fn the_log_is_listed_verified_and_signed() {
    let place = Place::new();
    let server = place.serve(&[]);
    place.fine(&["account", "create", "a"]);
    place.fine(&["limit", "set", "root/a", "--rpm", "9"]);
    let listed = place.fine(&["audit", "list"]);
    let line = row(&listed, " 4");
    for wanted in [
        "management-token",
        "limits.change",
        "root/a",
        "limits/rpm 9",
    ] {
        assert!(line.contains(wanted), "{listed}");
    }
    let last = place.json(&["audit", "list", "--limit", "1"]);
    assert_eq!(last["entries"].as_array().unwrap().len(), 1);
    assert_eq!(last["entries"][0]["act"], "limits.change");
    let after = place.json(&["audit", "list", "--after", "1", "--limit", "2"]);
    assert_eq!(after["entries"][0]["sequence"], 2);
    assert_eq!(after["entries"].as_array().unwrap().len(), 2);
    assert!(
        place
            .fine(&["audit", "verify"])
            .contains("4 entries: the log is whole")
    );
    let made: Value = serde_json::from_str(&place.fine(&["audit", "checkpoint"])).unwrap();
    assert_eq!(made["sequence"], 5, "the key for it was made");
    let said = place.fine(&["audit", "checkpoint", "--output", "kept.json"]);
    assert!(said.contains("entry 5, written to kept.json"), "{said}");
    let told = place.json(&["audit", "checkpoint", "--output", "told.json"]);
    let written = std::fs::read_to_string(place.folder.path().join("told.json")).unwrap();
    assert_eq!(told, serde_json::from_str::<Value>(&written).unwrap());
    let nowhere = place.fails(&["audit", "checkpoint", "--output", "2026/kept.json"]);
    assert!(
        nowhere.contains("the folder 2026 is not there"),
        "{nowhere}"
    );
    assert!(!place.folder.path().join("2026").exists());
    // One that is there is not replaced.
    let there = place.fails(&["audit", "checkpoint", "--output", "kept.json"]);
    assert!(there.contains("kept.json is there already"), "{there}");
    place.fine(&["audit", "verify", "--checkpoint", "kept.json"]);
    let kept = std::fs::read_to_string(place.folder.path().join("kept.json")).unwrap();
    let digit = made["hash"].as_str().unwrap().chars().next().unwrap();
    let other = if digit == '0' { '1' } else { '0' };
    let altered = kept.replacen(
        &format!("\"hash\": \"{digit}"),
        &format!("\"hash\": \"{other}"),
        1,
    );
    assert_ne!(altered, kept);
    std::fs::write(place.folder.path().join("altered.json"), altered).unwrap();
    let said = place.fails(&["audit", "verify", "--checkpoint", "altered.json"]);
    assert!(said.contains("signature"), "{said}");
    server.signal("-TERM");
    assert!(server.ended().0.success());
}

#[test]
fn a_log_that_lacks_its_end_is_found_by_a_checkpoint() {
    let place = Place::new();
    let server = place.serve(&[]);
    place.fine(&["audit", "checkpoint"]);
    place.fine(&["backup", "copy"]);
    for name in ["a", "b", "c"] {
        place.fine(&["account", "create", name]);
    }
    place.fine(&["audit", "checkpoint", "--output", "kept.json"]);
    server.signal("-TERM");
    assert!(server.ended().0.success());
    std::fs::rename(place.data("store"), place.data("aside")).unwrap();
    place.fine(&["restore", "copy"]);
    let server = place.serve(&[]);
    place.fine(&["audit", "verify"]);
    let output = place.run(&["audit", "verify", "--checkpoint", "kept.json", "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!output.status.success() && answer["whole"] == false);
    assert_eq!(answer["findings"][0]["finding"], "truncated", "{answer}");
    // Once there are as many entries again it is another log.
    for name in ["d", "e", "f"] {
        place.fine(&["account", "create", name]);
    }
    let said = place.run(&["audit", "verify", "--checkpoint", "kept.json"]);
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(
        !said.status.success() && text.contains("written anew"),
        "{text}"
    );
    server.signal("-TERM");
    assert!(server.ended().0.success());
}

#[test]
fn usage_is_exported_to_standard_output_or_a_new_file_of_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let server = place.serve(&[]);
    let csv = place.fine(&["usage", "export", "--format", "csv", "--account", "root"]);
    assert!(csv.starts_with("request_id,admitted,ended,account") && csv.lines().count() == 1);
    assert_eq!(place.fine(&["usage", "export", "--format", "jsonl"]), "");
    let focus = [
        "usage",
        "export",
        "--format",
        "focus",
        "--output",
        "focus.csv",
    ];
    place.fine(&focus);
    let file = place.folder.path().join("focus.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("BilledCost,BillingAccountId"), "{text}");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(place.fails(&focus).contains("focus.csv is there already"));
    let said = place.fails(&["usage", "export", "--format", "csv", "--since", "yesterday"]);
    assert!(said.contains("--since"), "{said}");
    server.signal("-TERM");
    assert!(server.ended().0.success());
}
