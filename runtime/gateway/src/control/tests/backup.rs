//! A backup of a gateway that serves, and a gateway on what was restored from it.

use super::*;

fn back_up(control: &Control, folder: &Path) -> Result<BackupManifest, ControlError> {
    control.back_up(&BackupRequest {
        folder: folder.display().to_string(),
    })
}

#[test]
fn a_restored_gateway_has_accounts_keys_credit_and_usage() {
    let folder = tempfile::tempdir().unwrap();
    let control = open_by_day(folder.path());
    account(&control, "root", "a");
    let issued = key(&control, "root/a");
    let request = GrantRequest {
        account: "root/a".to_owned(),
        amount: 50,
        idempotency_key: "k".to_owned(),
        from: Some(Counterpart::Treasury),
        expires_ms: None,
    };
    control.operator().grant(&request).unwrap();
    used(&control, "root/a", now_ms(), 7);
    let copy = folder.path().join("copy");
    let manifest = back_up(&control, &copy).unwrap();
    assert_eq!((manifest.ledger_records, manifest.usage_blocks), (1, 1));
    // What comes later is not in it.
    account(&control, "root", "later");
    let master_key = control.data().master_key();
    end(control);

    let elsewhere = tempfile::tempdir().unwrap();
    let config = by_day(elsewhere.path());
    let restored = restore(&config, &copy).unwrap();
    std::fs::copy(master_key, &restored.master_key).unwrap();
    let control = Control::open(config).unwrap();
    assert!(known(&control, issued.key.expose()));
    assert_eq!(control.operator().wallet("root/a").unwrap().available, 50);
    assert_eq!(
        control
            .operator()
            .account("root/a")
            .unwrap()
            .effective
            .used
            .spent_today,
        7
    );
    assert!(control.operator().account("root/later").is_err());
    assert!(control.operator().grant(&request).unwrap().repeated);
}

#[test]
fn a_backup_goes_to_an_absolute_empty_folder_outside_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let full = folder.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("x"), "x").unwrap();
    for wrong in [
        Path::new("copy"),
        &full,
        &full.join("x/copy"),
        &control.data().store().join("copy"),
        Path::new("/proc/none/copy"),
    ] {
        let error = back_up(&control, wrong).unwrap_err();
        assert_eq!(
            (error.kind, error.field.as_deref()),
            (Kind::Invalid, Some("folder")),
            "{}: {error}",
            wrong.display()
        );
    }
}

#[test]
fn a_restore_leaves_a_store_that_is_there_alone_and_refuses_what_is_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let copy = folder.path().join("copy");
    back_up(&control, &copy).unwrap();
    end(control);
    let error = restore(&config(folder.path()), &copy)
        .unwrap_err()
        .to_string();
    assert!(error.contains("move it away"), "{error}");
    end(open(folder.path()));
    let elsewhere = tempfile::tempdir().unwrap();
    let pairs = copy.join("store.pairs");
    let mut bytes = std::fs::read(&pairs).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&pairs, bytes).unwrap();
    let error = restore(&config(elsewhere.path()), &copy)
        .unwrap_err()
        .to_string();
    assert!(error.contains("checksum"), "{error}");
}
