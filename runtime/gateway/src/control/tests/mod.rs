//! Starts, restarts and what survives them, on a real store in a temporary folder, without components.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use tollgate_governance::UsageRow;

use super::*;

mod audited;
mod backup;
mod credit;
mod damage;
mod deleting;
mod denials;
mod effect;
mod keys;
mod reports;
mod tokens;
mod unconfirmed;

/// How long the store may take for a row on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn config(folder: &Path) -> Config {
    let mut config = Config::default();
    config.data.dir = folder.join("data");
    config.components.dir = folder.join("components");
    config
}

/// A configuration in whose zone it is day: what is counted by day or month is gone after midnight, which is far off.
fn by_day(folder: &Path) -> Config {
    // Looked at once: another one at the next start would be a change of zone.
    static ZONE: LazyLock<&str> = LazyLock::new(|| match now_ms() / 3_600_000 % 24 {
        6..18 => "UTC",
        _ => "Etc/GMT-12",
    });
    let zone: &str = &ZONE;
    let mut config = config(folder);
    config.governance.time_zone = zone.to_owned();
    config
}

fn open(folder: &Path) -> Arc<Control> {
    Control::open(config(folder)).unwrap()
}

fn open_by_day(folder: &Path) -> Arc<Control> {
    Control::open(by_day(folder)).unwrap()
}

/// Ends a control plane as a process ends; the store can then be opened again.
fn end(control: Arc<Control>) {
    control.close();
    assert_eq!(Arc::strong_count(&control), 1, "nobody keeps it alive");
}

fn key(control: &Control, account: &str) -> IssuedKey {
    control
        .operator()
        .create_key(&tollgate_governance::KeyDraft {
            account: account.to_owned(),
            ..Default::default()
        })
        .unwrap()
}

fn account(control: &Control, parent: &str, name: &str) {
    let new = tollgate_governance::AccountPatch {
        name: Some(name.to_owned()),
        parent: Some(parent.to_owned()),
        ..Default::default()
    };
    control.operator().create_account(&new).unwrap();
}

/// Changes an account as the API does.
fn patch(control: &Control, target: &str, body: &str) -> Result<AccountView, ControlError> {
    control
        .operator()
        .update_account(target, &serde_json::from_str(body).unwrap())
}

fn known(control: &Control, token: &str) -> bool {
    control
        .snapshot()
        .accounts
        .find(&control.hasher().mac(token))
        .is_some()
}

#[test]
fn a_first_start_makes_a_root_and_secrets_for_the_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    assert_eq!(
        control
            .operator()
            .accounts(&Listing::default())
            .unwrap()
            .accounts[0]
            .path,
        "root"
    );
    assert_eq!(
        control
            .operator()
            .accounts(&Listing::default())
            .unwrap()
            .accounts
            .len(),
        1
    );
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(control.data().root()), 0o700);
    assert_eq!(mode(&control.data().master_key()), 0o600);
    assert_eq!(mode(&control.data().management_token()), 0o600);
    let token = std::fs::read_to_string(control.data().management_token()).unwrap();
    assert!(control.is_management_token(token.trim()));
}

#[test]
fn accounts_keys_and_token_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "team");
    let (kept, revoked) = (key(&control, "root/team"), key(&control, "root/team"));
    control
        .operator()
        .revoke_key(&revoked.view.id.to_string(), false)
        .unwrap();
    let token = std::fs::read_to_string(control.data().management_token()).unwrap();
    end(control);
    let control = open(folder.path());
    assert!(known(&control, kept.key.expose()));
    assert!(!known(&control, revoked.key.expose()));
    assert!(control.is_management_token(token.trim()));
    assert_eq!(
        control.operator().account("root/team").unwrap().path,
        "root/team"
    );
}

#[test]
fn a_key_works_from_the_next_snapshot_and_a_revoked_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let before = control.snapshot_full();
    let issued = key(&control, "root");
    let hash = control.hasher().mac(issued.key.expose());
    assert!(
        before.accounts.find(&hash).is_none(),
        "a snapshot never changes"
    );
    assert!(known(&control, issued.key.expose()));
    control
        .operator()
        .revoke_key(&issued.view.id.to_string(), false)
        .unwrap();
    assert!(!known(&control, issued.key.expose()));
}

#[test]
fn the_quickstart_key_is_made_once_and_made_anew_when_it_no_longer_works() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let first = control.quickstart().unwrap().key().to_owned();
    assert!(known(&control, &first));
    assert_eq!(control.quickstart().unwrap().key(), first);
    end(control);
    let control = open(folder.path());
    assert_eq!(control.quickstart().unwrap().key(), first);
    assert_eq!(
        control
            .operator()
            .keys(&Listing::default())
            .unwrap()
            .keys
            .len(),
        1
    );
    let mode = std::fs::metadata(control.data().quickstart_key())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let id = control.operator().keys(&Listing::default()).unwrap().keys[0]
        .id
        .to_string();
    control.operator().revoke_key(&id, false).unwrap();
    let second = control.quickstart().unwrap().key().to_owned();
    assert!(second != first && known(&control, &second));
}

#[test]
fn a_lost_master_key_stops_the_start_and_no_new_one_is_made_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let file = control.data().master_key();
    end(control);
    let kept = folder.path().join("kept");
    std::fs::rename(&file, &kept).unwrap();
    let error = Control::open(config(folder.path()))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("master key") && error.contains("restore"),
        "{error}"
    );
    assert!(!file.exists());
    // Another store's key is not this store's.
    let other = tempfile::tempdir().unwrap();
    end(open(other.path()));
    std::fs::copy(other.path().join("data/master-key"), &file).unwrap();
    let error = Control::open(config(folder.path()))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("not the one"), "{error}");
    std::fs::rename(&kept, &file).unwrap();
    end(open(folder.path()));
}

#[test]
fn a_wrong_time_zone_is_blamed_on_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.governance.time_zone = "Mars/Base".to_owned();
    let error = Control::open(config).err().unwrap().to_string();
    assert!(
        error.contains("governance.time_zone") && error.contains("Mars/Base"),
        "{error}"
    );
}

#[test]
fn a_fee_of_more_than_the_charge_is_blamed_on_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.governance.fee_ppm = 1_000_001;
    let error = Control::open(config).err().unwrap().to_string();
    assert!(error.contains("governance.fee_ppm"), "{error}");
}

#[test]
fn another_zone_of_the_configuration_is_a_change_like_one_of_the_root_account() {
    let folder = tempfile::tempdir().unwrap();
    end(open(folder.path()));
    let started = |zone: &str| {
        let mut config = config(folder.path());
        config.governance.time_zone = zone.to_owned();
        let control = Control::open(config).unwrap();
        let change = control
            .operator()
            .account("root")
            .unwrap()
            .account
            .zone_change
            .clone();
        end(control);
        change
    };
    assert_eq!(started("UTC"), None);
    let change = started("Asia/Shanghai").unwrap();
    assert_eq!(change.before.as_deref(), Some("UTC"));
    assert_eq!(started("Asia/Shanghai").unwrap(), change, "once");
}

#[test]
fn where_a_store_has_been_none_is_begun_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let data = config(folder.path()).data.dir;
    end(open(folder.path()));
    let store = data.join("store");
    let away = folder.path().join("away");
    std::fs::rename(&store, &away).unwrap();
    let told = || {
        Control::open(config(folder.path()))
            .err()
            .unwrap()
            .to_string()
    };
    assert!(told().contains("it is gone") && told().contains("tollgate restore"));
    assert!(!store.exists(), "and nothing is made");
    // The journal alone is no store, even where nothing else tells of one.
    std::fs::remove_file(data.join("management-token")).unwrap();
    std::fs::create_dir_all(store.join("journal")).unwrap();
    std::fs::write(store.join("journal/1"), "records").unwrap();
    assert!(told().contains("it is gone"));
    std::fs::remove_dir_all(&store).unwrap();
    std::fs::rename(&away, &store).unwrap();
    end(open(folder.path()));
}

#[test]
fn a_limit_under_a_name_that_a_model_map_makes_another_of_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "a");
    patch(
        &control,
        "root",
        r#"{"model_map":{"fast":"m1","old-*":"m2"}}"#,
    )
    .unwrap();
    for name in ["fast", "old-one"] {
        let limit = format!(r#"{{"model_limits":{{"{name}":{{"rpm":1}}}}}}"#);
        let refused = patch(&control, "root/a", &limit).unwrap_err().to_string();
        assert!(refused.contains("is counted as"), "{refused}");
    }
    patch(
        &control,
        "root/a",
        r#"{"model_limits":{"m1":{"rpm":1},"fast*":{"rpm":1}}}"#,
    )
    .unwrap();
}

#[test]
fn two_gateways_cannot_share_a_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path());
    let error = Control::open(config(folder.path()))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("in use"), "{error}");
}

/// Writes a row as the data plane does; whoever asks finds it.
fn used(control: &Control, account: &str, admitted_ms: u64, charged: u64) {
    let view = control.operator().account(account).unwrap();
    let path: Vec<_> = account
        .match_indices('/')
        .map(|(end, _)| &account[..end])
        .chain([account])
        .map(|path| control.operator().account(path).unwrap().account.id)
        .collect();
    let row = UsageRow {
        request: uuid::Uuid::from_u128(u128::from(admitted_ms)),
        admitted_ms,
        ended_ms: admitted_ms + 5,
        path: path.into(),
        names: view.path.into(),
        counted: true,
        status: 200,
        tokens: tollgate_governance::Tokens {
            input: 10,
            output: 1,
            ..Default::default()
        },
        charged,
        ..UsageRow::default()
    };
    append(control, &row);
}

fn append(control: &Control, row: &UsageRow<'_>) {
    control.journal_writer().unwrap().append(row, &[]).unwrap();
    assert!(control.sync_usage(PATIENCE), "the store does not take it");
}

#[test]
fn usage_is_filtered_by_subtree_and_time_and_totals_count_what_the_limit_cuts() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    for (parent, name) in [("root", "a"), ("root/a", "b"), ("root", "c")] {
        account(&control, parent, name);
    }
    let now = now_ms();
    used(&control, "root/a/b", now, 1);
    used(&control, "root/a", now + 1, 20);
    used(&control, "root/c", now + 2, 300);
    let a = control
        .operator()
        .account("root/a")
        .unwrap()
        .account
        .id
        .to_string();
    control.close();
    let page = |filter: Filter, limit| {
        let page = control
            .operator()
            .usage_page(&UsageQuery { filter, limit })
            .unwrap();
        let value = serde_json::to_value(&page).unwrap();
        let charged: Vec<u64> = value["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["charged"].as_u64().unwrap())
            .collect();
        (
            charged,
            page.totals.requests,
            page.totals.charged,
            page.totals.usage.input,
        )
    };
    let all = Filter::default();
    assert_eq!(page(all.clone(), 10), (vec![300, 20, 1], 3, 321, 30));
    assert_eq!(page(all.clone(), 1), (vec![300], 3, 321, 30));
    let of_a = Filter {
        account: Some("root/a".to_owned()),
        ..all.clone()
    };
    assert_eq!(page(of_a, 10), (vec![20, 1], 2, 21, 20));
    let by_id = Filter {
        account: Some(a),
        ..all.clone()
    };
    assert_eq!(page(by_id, 10), (vec![20, 1], 2, 21, 20));
    let within = Filter {
        since_ms: Some(now + 1),
        until_ms: Some(now + 2),
        ..all.clone()
    };
    assert_eq!(page(within, 10), (vec![20], 1, 20, 10));
    let gone = Filter {
        account: Some("root/none".to_owned()),
        ..all
    };
    let query = UsageQuery {
        filter: gone,
        limit: 10,
    };
    assert_eq!(
        control
            .operator()
            .usage_page(&query)
            .unwrap_err()
            .field
            .as_deref(),
        Some("account")
    );
}

#[test]
fn what_was_spent_today_still_counts_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let control = open_by_day(folder.path());
    used(&control, "root", now_ms(), 7);
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
        7
    );
}

#[test]
fn addresses_are_told_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let address = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    control.publish_addresses(address(1), address(2)).unwrap();
    let text = std::fs::read_to_string(control.data().addresses()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (value["server"].as_str(), value["management"].as_str()),
        (Some("127.0.0.1:1"), Some("127.0.0.1:2"))
    );
    control.close();
    assert!(!control.data().addresses().exists());
}
