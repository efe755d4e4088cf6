//! Tokens of accounts over time: across restarts, backups and kills, and what their bearers are told of usage and credit.

use tollgate_governance::{AccountPatch, Role, TokenDraft};

use super::*;

/// `root/dept/team`, `root/other`, and a token of `root/dept`.
fn divided(folder: &Path) -> (Arc<Control>, String) {
    divide(open(folder))
}

/// The same where it is open already.
fn divide(control: Arc<Control>) -> (Arc<Control>, String) {
    for (parent, name) in [("root", "dept"), ("root/dept", "team"), ("root", "other")] {
        account(&control, parent, name);
    }
    let head = token(&control, "root/dept", Role::Manage);
    (control, head)
}

fn token(control: &Control, account: &str, role: Role) -> String {
    let draft = TokenDraft {
        account: account.to_owned(),
        label: format!("{account} {role:?}"),
        role,
        expires_ms: None,
    };
    let issued = control.operator().create_token(&draft).unwrap();
    issued.token.expose().to_owned()
}

/// The token of this label, as the operator sees it.
fn of(control: &Control, label: &str) -> TokenView {
    let tokens = control.operator().tokens(None).unwrap().tokens;
    tokens.into_iter().find(|one| one.label == label).unwrap()
}

#[test]
fn two_departments_and_the_operator_may_choose_the_same_idempotency_key() {
    let folder = tempfile::tempdir().unwrap();
    let (control, head) = divided(folder.path());
    account(&control, "root/other", "team");
    let other = token(&control, "root/other", Role::Manage);
    let grant = |account: &str, amount: i64, key: &str| GrantRequest {
        account: account.to_owned(),
        amount,
        idempotency_key: key.to_owned(),
        from: None,
        expires_ms: None,
    };
    control
        .operator()
        .grant(&grant("root", 900, "root"))
        .unwrap();
    for department in ["root/dept", "root/other"] {
        let granted = control
            .operator()
            .grant(&grant(department, 100, department));
        assert!(!granted.unwrap().repeated);
    }
    let repeated = |control: &Control, token: &str, request: &GrantRequest| {
        let manager = control.manager(token).unwrap();
        control
            .management(&manager)
            .grant(request)
            .unwrap()
            .repeated
    };
    let (mine, theirs) = (
        grant("dept/team", 10, "march"),
        grant("other/team", 20, "march"),
    );
    assert!(!repeated(&control, &head, &mine));
    assert!(!repeated(&control, &other, &theirs));
    // The very same operation, asked for from the root.
    let same = control
        .operator()
        .grant(&grant("root/dept/team", 10, "march"));
    assert!(!same.unwrap().repeated);
    let available =
        |control: &Control, account| control.operator().wallet(account).unwrap().available;
    assert_eq!(available(&control, "root/dept/team"), 20);
    assert_eq!(available(&control, "root/other/team"), 20);
    end(control);

    let control = open(folder.path());
    assert!(repeated(&control, &head, &mine) && repeated(&control, &other, &theirs));
    assert_eq!(available(&control, "root/dept/team"), 20);
    let manager = control.manager(&head).unwrap();
    let refused = control
        .management(&manager)
        .grant(&grant("dept/team", 11, "march"));
    assert_eq!(
        refused.unwrap_err().field.as_deref(),
        Some("idempotency_key")
    );
}

#[test]
fn tokens_survive_a_restart_and_a_restored_backup_and_revoked_ones_stay_so() {
    let folder = tempfile::tempdir().unwrap();
    let (control, head) = divided(folder.path());
    let gone = token(&control, "root/dept", Role::Read);
    let id = of(&control, "root/dept Read").id.to_string();
    control.operator().revoke_token(&id).unwrap();
    assert!(control.manager(&head).is_some_and(|head| head.may_change()));
    let used = of(&control, "root/dept Manage").last_used_ms;
    assert!(used.is_some());
    let copy = folder.path().join("copy");
    let copied = control.back_up(&BackupRequest {
        folder: copy.display().to_string(),
    });
    copied.unwrap();
    let master_key = control.data().master_key();
    end(control);

    let control = open(folder.path());
    assert!(control.manager(&head).is_some() && control.manager(&gone).is_none());
    let operator = std::fs::read_to_string(control.data().management_token()).unwrap();
    assert!(control.manager(operator.trim()).unwrap().is_operator());
    assert!(of(&control, "root/dept Manage").last_used_ms >= used);
    assert!(of(&control, "root/dept Read").last_used_ms.is_none());
    end(control);

    let elsewhere = tempfile::tempdir().unwrap();
    let config = config(elsewhere.path());
    let restored = restore(&config, &copy).unwrap();
    std::fs::copy(master_key, &restored.master_key).unwrap();
    let control = Control::open(config).unwrap();
    assert!(control.manager(&head).is_some() && control.manager(&gone).is_none());
}

#[test]
fn when_a_token_was_last_shown_is_written_down_without_an_entry_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (control, head) = divided(folder.path());
    let last = |control: &Control| control.operator().audit_page(0, 0).unwrap().last;
    let before = last(&control);
    control.manager(&head).unwrap();
    control.note_tokens_used();
    assert_eq!(last(&control), before);
    let shown = of(&control, "root/dept Manage").last_used_ms;
    // It is in the record: `close` has nothing left to write.
    let written = control.state.lock().directory.tokens()[0].last_used_ms;
    assert_eq!(written, shown);
    end(control);
    let control = open(folder.path());
    assert_eq!(of(&control, "root/dept Manage").last_used_ms, shown);
    assert!(shown.is_some());
}

#[test]
fn usage_of_others_is_in_no_row_sum_or_export_whatever_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (control, head) = divided(folder.path());
    let now = now_ms();
    used(&control, "root/dept/team", now, 1);
    used(&control, "root/dept", now + 1, 20);
    used(&control, "root/other", now + 2, 300);
    used(&control, "root", now + 3, 4_000);
    let id = |path: &str| control.operator().account(path).unwrap().account.id;
    let (root, dept, other) = (id("root"), id("root/dept"), id("root/other"));
    let head = control.manager(&head).unwrap();
    let asked = |account: Option<String>| {
        let filter = Filter {
            account,
            ..Filter::default()
        };
        let query = UsageQuery {
            filter: filter.clone(),
            limit: 10,
        };
        let page = control.management(&head).usage_page(&query).unwrap();
        let report = ReportQuery {
            filter: filter.clone(),
            by: vec!["account".to_owned()],
            ..ReportQuery::default()
        };
        let report = control.management(&head).usage_report(&report).unwrap();
        assert_eq!(report.totals.charged, page.totals.charged);
        let mut exported = 0;
        for format in [ExportFormat::Jsonl, ExportFormat::Csv, ExportFormat::Focus] {
            let mut text = Vec::new();
            let export = control.usage_export(&head, &filter, format).unwrap();
            let take = &mut |piece: Vec<u8>| {
                text.extend(piece);
                true
            };
            export.write(take).unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(!text.contains("root") && !text.contains("other"), "{text}");
            assert!(!text.contains(&root.to_string()), "{text}");
            exported = text.lines().count();
        }
        let lines = report
            .lines
            .iter()
            .map(|line| line.account.clone().unwrap());
        (page.totals.charged, lines.collect::<Vec<_>>(), exported - 1)
    };
    let all = vec!["dept".to_owned(), "dept/team".to_owned()];
    let (charged, mut lines, exported) = asked(None);
    lines.sort();
    assert_eq!((charged, lines, exported), (21, all, 2));
    let team = (1, vec!["dept/team".to_owned()], 1);
    assert_eq!(asked(Some("dept/team".to_owned())), team);
    assert_eq!(asked(Some(dept.to_string())).0, 21);
    // Above and beside is nothing, as it is of an id that nobody has.
    for elsewhere in [root, other, tollgate_governance::AccountId::default()] {
        assert_eq!(asked(Some(elsewhere.to_string())), (0, vec![], 0));
    }
}

#[test]
fn what_an_account_above_has_left_shows_in_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (control, head) = divide(open_by_day(folder.path()));
    let limits = r#"{"limits":{"daily_limit":5000},"billing":"prepaid"}"#;
    patch(&control, "root", limits).unwrap();
    patch(&control, "root/dept", r#"{"limits":{"daily_limit":400}}"#).unwrap();
    let head = control.manager(&head).unwrap();
    let view = control.management(&head).account("dept/team").unwrap();
    let before = serde_json::to_value(&view.effective).unwrap();
    assert_eq!(before["wallet"], serde_json::json!({ "source": "above" }));
    // Others use up nearly all of it: for whoever manages `dept` nothing has changed.
    used(&control, "root/other", now_ms(), 4_900);
    end(control);
    let control = open_by_day(folder.path());
    assert_eq!(
        control
            .operator()
            .account("root")
            .unwrap()
            .effective
            .used
            .spent_today,
        4_900
    );
    let view = control.management(&head).account("dept/team").unwrap();
    assert_eq!(serde_json::to_value(&view.effective).unwrap(), before);
}

#[test]
fn who_manages_an_account_makes_tokens_below_it_and_they_see_less() {
    let folder = tempfile::tempdir().unwrap();
    let (control, head) = divided(folder.path());
    let head = control.manager(&head).unwrap();
    let draft = |account: &str| TokenDraft {
        account: account.to_owned(),
        label: "lead".to_owned(),
        role: Role::Manage,
        expires_ms: None,
    };
    let management = control.management(&head);
    let lead = management.create_token(&draft("dept/team")).unwrap();
    assert_eq!(lead.view.path, "dept/team");
    let refused = management.create_token(&draft("dept")).err().unwrap();
    assert_eq!(refused.kind, Kind::Forbidden);
    let refused = management.create_token(&draft("root/other")).err().unwrap();
    assert_eq!(
        (refused.kind, refused.field.as_deref()),
        (Kind::Invalid, Some("account"))
    );
    let lead = control.manager(lead.token.expose()).unwrap();
    let seen = control
        .management(&lead)
        .accounts(&Listing::default())
        .unwrap()
        .accounts;
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].path.as_str(), seen[0].account.parent),
        ("team", None)
    );
    assert_eq!(
        control.management(&lead).tokens(None).unwrap().tokens.len(),
        1
    );
    // Made by the head, told with his token.
    let page = control.operator().audit_page(0, 1_000).unwrap();
    let page = serde_json::to_value(&page).unwrap();
    let last = page["entries"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["act"], "token.create");
    let id = of(&control, "root/dept Manage").id;
    assert_eq!(last["actor"], format!("token:{id}"));
    // The lead sees that it was made, and by whom only that it was somebody above.
    let page = control.management(&lead).audit_page(0, 1_000).unwrap();
    let page = serde_json::to_value(&page).unwrap();
    let last = page["entries"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["actor"], &last["subject"]["path"]),
        (&"above".into(), &"team".into())
    );
    assert!(last.get("hash").is_none() && page.get("public_key").is_none());
    // The operator is somebody above as well, but for an auditor of the root.
    let auditor = token(&control, "root", Role::Read);
    let auditor = control.manager(&auditor).unwrap();
    for (reader, operator) in [(&head, "above"), (&auditor, "management-token")] {
        let page = control.management(reader).audit_page(0, 1_000).unwrap();
        let page = serde_json::to_value(&page).unwrap();
        let mut entries = page["entries"].as_array().unwrap().iter();
        let made =
            entries.find(|one| one["act"] == "account.create" && one["subject"]["path"] != "root");
        assert_eq!(made.unwrap()["actor"], operator, "{page}");
    }
}

#[test]
fn the_log_is_given_page_by_page_of_what_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (control, head) = divided(folder.path());
    for round in 0..5 {
        let limits = format!(r#"{{"limits":{{"rpm":{}}}}}"#, 10 + round);
        patch(&control, "root/dept/team", &limits).unwrap();
        patch(&control, "root/other", &limits).unwrap();
    }
    let head = control.manager(&head).unwrap();
    let (mut seen, mut after) = (Vec::new(), Some(0));
    while let Some(number) = after {
        let page = control.management(&head).audit_page(number, 2).unwrap();
        after = page.next;
        let page = serde_json::to_value(&page).unwrap();
        for entry in page["entries"].as_array().unwrap() {
            assert!(!entry.to_string().contains("other"), "{entry}");
            let act = entry["act"].as_str().unwrap().to_owned();
            seen.push((entry["sequence"].as_u64().unwrap(), act));
        }
        assert!(page["last"].as_u64().unwrap() >= seen.last().unwrap().0);
    }
    assert!(seen.is_sorted());
    let changes = seen.iter().filter(|(_, act)| act == "account.change");
    assert_eq!(changes.count(), 5);
    // Its own account, the one below, its token, and the changes.
    assert_eq!(seen.len(), 3 + 5);
}

#[test]
fn an_account_that_moves_away_is_gone_for_the_token_and_takes_its_own_along() {
    let folder = tempfile::tempdir().unwrap();
    let (control, head) = divided(folder.path());
    let team = token(&control, "root/dept/team", Role::Read);
    let head = control.manager(&head).unwrap();
    patch(&control, "root/dept/team", r#"{"parent":"root/other"}"#).unwrap();
    let error = control.management(&head).account("dept/team").unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    let team = control.manager(&team).unwrap();
    assert_eq!(
        control.management(&team).account("team").unwrap().path,
        "team"
    );
    let moved = AccountPatch {
        parent: Some("root/other".to_owned()),
        ..AccountPatch::default()
    };
    account(&control, "root/dept", "second");
    let error = control
        .management(&head)
        .update_account("dept/second", &moved)
        .unwrap_err();
    assert_eq!(
        (error.kind, error.field.as_deref()),
        (Kind::Invalid, Some("parent"))
    );
    assert_eq!(error.message, "no account `root/other`");
}
