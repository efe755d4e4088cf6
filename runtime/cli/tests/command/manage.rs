//! The commands that manage accounts, limits, keys, credit and backups, on a running gateway.

use crate::place::{Place, row};

#[test]
fn the_tree_is_changed_moved_switched_off_and_pruned() {
    let place = Place::new();
    let server = place.serve(&[]);
    place.fine(&["account", "create", "a"]);
    place.fine(&["account", "create", "b", "--parent", "root/a"]);
    place.fine(&["account", "create", "c"]);
    place.fine(&[
        "account",
        "update",
        "root/a",
        "--deny-model",
        "x*",
        "--endpoint",
        "messages",
        "--cidr",
        "10.0.0.0/8,::1/128",
        "--map",
        "old*=new",
        "--output-cap",
        "4000",
        "--price-factor",
        "1.25",
        "--billing",
        "prepaid",
        "--on-exhaust",
        "cut",
        "--keep-answers",
        "no",
        "--alias",
        "Team A",
    ]);
    let root = place.fine(&["account", "show", "root"]);
    let kept = row(&root, "answers kept");
    assert!(kept.contains("yes") && kept.ends_with("root"), "{kept}");
    let shown = place.fine(&["account", "show", "root/a/b"]);
    for (begins, wanted) in [
        ("models refused", "x*"),
        ("networks", "10.0.0.0/8,::1/128"),
        ("model map", "old* -> new"),
        ("output cap", "4000"),
        ("price factor", "1.25"),
        ("answers kept", "no"),
        ("wallet", "0.00 available"),
    ] {
        let line = row(&shown, begins);
        assert!(line.contains(wanted) && line.ends_with("root/a"), "{line}");
    }
    assert!(row(&shown, "budget mode").ends_with("(default)"), "{shown}");
    assert!(
        place
            .fails(&["account", "update", "root/a", "--endpoint", "mesages"])
            .contains("endpoints:")
    );
    assert!(
        place
            .fails(&["account", "move", "root/a", "--to", "root/a/b"])
            .contains("parent:")
    );
    place.fine(&["account", "move", "root/a", "--to", "root/c"]);
    place.fine(&["account", "suspend", "root/c"]);
    let tree = place.fine(&["account", "list"]);
    assert!(row(&tree, "  c").contains("suspended"), "{tree}");
    assert!(row(&tree, "      b").contains("off above"), "{tree}");
    assert!(
        place
            .fine(&["account", "resume", "root/c/a"])
            .contains("root/c above it is not")
    );
    place.fine(&["account", "resume", "root/c"]);
    assert_eq!(
        place.json(&["account", "show", "root/c/a/b"])["effective"]["enabled"],
        true
    );
    assert!(
        place
            .fails(&["account", "delete", "root/c"])
            .contains("accounts under it")
    );
    place.fine(&["account", "delete", "root/c/a", "--mode", "reparent"]);
    let gone = place.fine(&["account", "delete", "root/c", "--mode", "cascade"]);
    assert!(gone.contains("1 account below it"), "{gone}");
    assert_eq!(
        place.json(&["account", "list"])["accounts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let archived = place.fine(&["account", "list", "--archived"]);
    assert_eq!(archived.lines().count(), 4, "{archived}");
    server.signal("-TERM");
    assert!(server.ended().0.success());
}

#[test]
fn limits_are_set_shown_and_taken_away_for_all_models_and_for_some() {
    let place = Place::new();
    let server = place.serve(&[]);
    place.fine(&[
        "limit",
        "set",
        "root",
        "--rpm",
        "9",
        "--monthly-limit",
        "2.5",
    ]);
    let shown = place.fine(&["limit", "set", "root", "--for", "m*", "--tpd", "7"]);
    assert!(
        row(&shown, "monthly_limit").contains("2.50")
            && row(&shown, "tpd").contains("m*")
            && row(&shown, "rpm").contains("decides"),
        "{shown}"
    );
    // Without an upstream no model is served: nobody may believe that it limits anything.
    let why = "limits nothing now: no model that is served matches `m*`";
    assert!(row(&shown, "tpd").contains(why), "{shown}");
    let told = place.fine(&["doctor"]);
    assert!(
        row(&told, "account root").contains("its limit for `m*` limits nothing"),
        "{told}"
    );
    assert!(place.fails(&["limit", "set", "root"]).contains("--rpm 60"));
    assert!(
        place
            .fails(&["limit", "set", "root", "--for", "m?", "--rpm", "1"])
            .contains("model_limits:")
    );
    assert!(place.fails(&["limit", "unset", "root"]).contains("Usage"));
    for (wrong, said) in [
        (&["limit", "unset", "root", "rph"][..], "sets no rph"),
        (
            &["limit", "unset", "root", "--for", "x*"],
            "no limit for x*",
        ),
        (
            &["limit", "unset", "root", "rpm", "--for", "m*"],
            "sets no rpm for m*",
        ),
    ] {
        let told = place.fails(wrong);
        assert!(told.contains(said), "{told}");
    }
    place.fine(&["limit", "unset", "root", "rpm"]);
    place.fine(&["limit", "unset", "root", "--for", "m*"]);
    let limits = place.json(&["limit", "show", "root"]);
    assert_eq!(
        limits["limits"],
        serde_json::json!({ "monthly_limit": 2_500_000 })
    );
    assert_eq!(limits["model_limits"], serde_json::json!({}));
    server.signal("-TERM");
    assert!(server.ended().0.success());
}

#[test]
fn credit_is_moved_once_and_money_is_written_as_people_do() {
    let place = Place::new();
    let server = place.serve(&[]);
    place.fine(&["account", "create", "a"]);
    let made = place.fine(&["grant", "add", "root", "12.50"]);
    assert!(made.contains("Granted 12.50") && made.contains("idempotency key"));
    let once = [
        "grant",
        "add",
        "root/a",
        "2.000001",
        "--idempotency-key",
        "k",
    ];
    place.fine(&once);
    assert!(place.fine(&once).contains("nothing was done now"));
    let other = ["grant", "add", "root/a", "3", "--idempotency-key", "k"];
    assert!(place.fails(&other).contains("idempotency_key:"));
    assert!(
        place
            .fails(&["grant", "add", "root/a", "99"])
            .contains("amount:")
    );
    assert!(
        place
            .fails(&["grant", "add", "root/a", "-1"])
            .contains("-1")
    );
    assert!(
        place
            .fails(&["grant", "add", "root/a", "0"])
            .contains("amount:")
    );
    let late = ["grant", "add", "root", "1", "--expires", "2020-01-01"];
    assert!(place.fails(&late).contains("expires_ms:"));
    place.fine(&["grant", "add", "root", "1", "--expires", "2999-01-01"]);
    let soon = place.json(&["grant", "add", "root", "1", "--expires", "30d"]);
    let lots = soon["wallet"]["lots"].as_array().unwrap();
    // What expires first is spent first.
    let expires = |lot: usize| lots[lot]["expires_ms"].as_u64().unwrap();
    assert!(lots.len() == 3 && expires(0) < expires(1), "{soon}");
    place.fine(&["grant", "reclaim", "root/a", "1"]);
    let wallet = place.fine(&["grant", "show", "root/a"]);
    assert!(
        wallet.contains("1.000001 USD available") && wallet.contains("--billing prepaid"),
        "{wallet}"
    );
    let root = place.fine(&["grant", "show", "root"]);
    assert!(
        root.contains("2999-01-01") && root.contains("never"),
        "{root}"
    );
    let ledger = place.fine(&["grant", "show"]);
    assert!(row(&ledger, "imbalance").ends_with(" 0.00"), "{ledger}");
    assert!(row(&ledger, "treasury").ends_with("-14.50"), "{ledger}");
    server.signal("-TERM");
    assert!(server.ended().0.success());
}

#[test]
fn keys_are_narrowed_replaced_and_killed() {
    let place = Place::new();
    let server = place.serve(&[]);
    let key = place.json(&[
        "key",
        "create",
        "--model",
        "m*",
        "--cidr",
        "10.0.0.0/8",
        "--expires",
        "90d",
        "--not-before",
        "2020-01-01",
    ]);
    let id = key["id"].as_str().unwrap();
    assert_eq!(key["scope"]["models"][0], "m*");
    let left = key["expires_ms"].as_u64().unwrap() - key["created_ms"].as_u64().unwrap();
    assert!((89..=90).contains(&(left / 86_400_000)), "{left}");
    let said = |arguments: &[&str]| {
        let output = place.run(arguments);
        assert!(output.status.success(), "{output:?}");
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap())
    };
    let [issued, remark] = said(&["key", "create", "--label", "laptop"]);
    assert_eq!(issued.lines().count(), 1, "{issued}");
    assert!(remark.contains("Connect Codex, Claude Code"), "{remark}");
    // The key and nothing else is the output: scripts catch it.
    let [rotated, remark] = said(&["key", "rotate", id, "--grace", "7d"]);
    assert!(
        rotated.starts_with("tg-") && rotated.lines().count() == 1,
        "{rotated}"
    );
    assert!(remark.contains("The old key works until"), "{remark}");
    let shown = place.fine(&["key", "show", id]);
    let new_id = place.json(&["key", "show", id])["successor"].clone();
    assert!(remark.contains(new_id.as_str().unwrap()), "{remark}");
    assert!(
        row(&shown, "models").ends_with("m*") && shown.contains("successor"),
        "{shown}"
    );
    let [_, at_once] = said(&["key", "rotate", new_id.as_str().unwrap(), "--grace", "0"]);
    assert!(at_once.contains("does not work any more"), "{at_once}");
    place.fine(&["key", "revoke", id, "--kill"]);
    let list = place.fine(&["key", "list"]);
    assert_eq!(list.matches("revoked").count(), 2, "{list}");
    assert!(
        place
            .fails(&["key", "create", "--endpoint", "x"])
            .contains("scope.endpoints:")
    );
    assert!(
        place
            .fails(&["key", "rotate", id, "--grace", "soon"])
            .contains("24h")
    );
    server.signal("-TERM");
    assert!(server.ended().0.success());
}

#[test]
fn a_backup_is_restored_where_there_is_no_store_and_says_what_is_missing() {
    let place = Place::new();
    let server = place.serve(&[]);
    place.fine(&["account", "create", "kept"]);
    let made = place.fine(&["backup", "copy"]);
    assert!(made.contains("master key is not in it"), "{made}");
    assert!(place.fails(&["backup", "copy"]).contains("not empty"));
    assert!(place.fails(&["restore", "copy"]).contains("move it away"));
    server.signal("-TERM");
    assert!(server.ended().0.success());
    let said = place.fine(&["--data", "elsewhere", "restore", "copy"]);
    for wanted in ["master-key is missing", "init --new-token", "journal"] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let start = place.fails(&["--data", "elsewhere", "serve"]);
    assert!(start.contains("master key"), "{start}");
    std::fs::rename(place.data("store"), place.data("damaged")).unwrap();
    place.fine(&["restore", "copy"]);
    let server = place.serve(&[]);
    assert!(place.fine(&["account", "list"]).contains("kept"));
    let report = ["usage", "report", "--by", "account,model", "--span", "day"];
    assert!(place.fine(&report).contains("No requests."));
    assert!(place.fine(&["usage", "rows"]).contains("No requests."));
    assert!(
        place
            .fails(&["usage", "report", "--by", "colour"])
            .contains("by:")
    );
    server.signal("-TERM");
    assert!(server.ended().0.success());
}

#[test]
fn a_token_of_an_account_manages_from_the_command_line_and_sees_its_part_alone() {
    let place = Place::new();
    let server = place.serve(&[]);
    place.fine(&["account", "create", "sales", "--rpm", "77"]);
    place.fine(&["account", "create", "elsewhere"]);
    place.fine(&["limit", "set", "root", "--daily-limit", "12345"]);
    let created = place.run(&[
        "token",
        "create",
        "--account",
        "root/sales",
        "--role",
        "manage",
        "--label",
        "head",
        "--expires",
        "90d",
    ]);
    assert!(created.status.success(), "{created:?}");
    let [token, remark] =
        [created.stdout, created.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(
        token.starts_with("tgm-") && token.lines().count() == 1,
        "{token}"
    );
    assert!(
        remark.contains("only time") && remark.contains("\"sales\""),
        "{remark}"
    );
    let as_head = |arguments: &[&str]| {
        let output = place
            .command(arguments)
            .env("TOLLGATE_TOKEN", token.trim())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    };
    assert!(as_head(&["account", "create", "team", "--tpm", "5"]).0);
    let (fine, tree) = as_head(&["account", "list"]);
    assert!(
        fine && tree.contains("  team") && !tree.contains("elsewhere") && !tree.contains("root"),
        "{tree}"
    );
    let (fine, shown) = as_head(&["account", "show", "sales/team"]);
    assert!(fine && row(&shown, "rpm").ends_with("sales"), "{shown}");
    assert!(
        row(&shown, "daily_limit").ends_with("above") && !shown.contains("12345"),
        "{shown}"
    );
    for (arguments, told) in [
        (
            &["account", "show", "root/elsewhere"][..],
            "no account `root/elsewhere`",
        ),
        (
            &["limit", "set", "sales", "--rpm", "9"][..],
            "managed from above",
        ),
        (&["credential", "list"][..], "operator"),
        (&["audit", "verify"][..], "the operator's verifies"),
        (
            &["audit", "checkpoint", "--output", "c.json"][..],
            "operator",
        ),
    ] {
        let (fine, said) = as_head(arguments);
        assert!(!fine && said.contains(told), "{arguments:?}: {said}");
    }
    let (fine, told) = as_head(&["audit", "list"]);
    assert!(
        fine && told.contains("account.create") && !told.contains("elsewhere"),
        "{told}"
    );
    let listed = place.fine(&["token", "list", "--account", "root/sales"]);
    assert!(listed.contains("head") && listed.contains("manage") && !listed.contains(token.trim()));
    let id = place.json(&["token", "list"])["tokens"][0]["id"].clone();
    let id = id.as_str().unwrap();
    assert!(remark.contains(id), "{remark}");
    assert!(row(&place.fine(&["token", "show", id]), "account").ends_with("root/sales"));
    place.fine(&["token", "revoke", id]);
    let (fine, said) = as_head(&["account", "list"]);
    assert!(!fine && said.contains("not valid"), "{said}");
    server.signal("-TERM");
    assert!(server.ended().0.success());
}
