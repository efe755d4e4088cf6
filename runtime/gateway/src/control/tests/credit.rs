//! Prepaid credit through the control plane: moved once, never lost, refused with the field to blame.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tollgate_store::{
    DiskStore, Durability, ExportVisit, Order, RollupVisit, StoreError, Table, UsageBatch, Visit,
    Write,
};

use super::super::open::Foundation;
use super::*;

pub(super) fn grant(to: &str, amount: i64, key: &str) -> GrantRequest {
    GrantRequest {
        account: to.to_owned(),
        amount,
        idempotency_key: key.to_owned(),
        from: None,
        expires_ms: None,
    }
}

fn reclaim(from: &str, amount: i64, key: &str) -> ReclaimRequest {
    ReclaimRequest {
        account: from.to_owned(),
        amount,
        idempotency_key: key.to_owned(),
        to: None,
    }
}

fn available(control: &Control, account: &str) -> i64 {
    control.operator().wallet(account).unwrap().available
}

/// A root wallet with 100 that expire, and an account `a` under it.
fn funded(folder: &Path) -> (Arc<Control>, u64) {
    let control = open(folder);
    account(&control, "root", "a");
    let expires = now_ms() + 3_600_000;
    let request = GrantRequest {
        expires_ms: Some(expires),
        ..grant("root", 100, "first")
    };
    assert_eq!(control.operator().grant(&request).unwrap().amount, 100);
    (control, expires)
}

#[test]
fn credit_moves_down_and_back_keeps_its_expiry_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (control, expires) = funded(folder.path());
    control
        .operator()
        .grant(&grant("root/a", 40, "down"))
        .unwrap();
    control
        .operator()
        .reclaim(&reclaim("root/a", 10, "back"))
        .unwrap();
    let out = ReclaimRequest {
        to: Some(Counterpart::Treasury),
        ..reclaim("root/a", 5, "out")
    };
    control.operator().reclaim(&out).unwrap();
    end(control);
    let control = open(folder.path());
    assert_eq!(
        (available(&control, "root"), available(&control, "root/a")),
        (70, 25)
    );
    assert_eq!(
        control.operator().wallet("root/a").unwrap().lots[0].expires_ms,
        Some(expires)
    );
    let ledger = control.ledger_status().unwrap();
    assert_eq!(
        (
            ledger.imbalance,
            ledger.totals.treasury,
            ledger.totals.wallets
        ),
        (0, -95, 95)
    );
}

#[test]
fn a_repeated_grant_moves_nothing_even_after_a_restart_and_other_content_under_its_key_is_refused()
{
    let folder = tempfile::tempdir().unwrap();
    let (control, _) = funded(folder.path());
    assert!(
        !control
            .operator()
            .grant(&grant("root/a", 40, "k"))
            .unwrap()
            .repeated
    );
    assert!(
        control
            .operator()
            .grant(&grant("root/a", 40, "k"))
            .unwrap()
            .repeated
    );
    end(control);
    let control = open(folder.path());
    let again = control.operator().grant(&grant("root/a", 40, "k")).unwrap();
    assert!(again.repeated && again.amount == 40 && again.wallet.available == 40);
    for other in [grant("root/a", 41, "k"), grant("root", 40, "k")] {
        let error = control.operator().grant(&other).unwrap_err();
        assert_eq!(error.kind, Kind::Conflict);
        assert_eq!(error.field.as_deref(), Some("idempotency_key"));
    }
    let error = control
        .operator()
        .reclaim(&reclaim("root/a", 40, "k"))
        .unwrap_err();
    assert_eq!(error.field.as_deref(), Some("idempotency_key"));
    assert_eq!(available(&control, "root/a"), 40);
}

#[test]
fn each_wrong_grant_is_refused_with_its_field_and_moves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (control, _) = funded(folder.path());
    let treasury = |request| GrantRequest {
        from: Some(Counterpart::Treasury),
        ..request
    };
    for (request, kind, field) in [
        (grant("root/a", -1, "n"), Kind::Invalid, "amount"),
        (grant("root/a", 0, "n"), Kind::Invalid, "amount"),
        (grant("root/a", 101, "n"), Kind::Conflict, "amount"),
        (
            treasury(grant("root/a", i64::MAX, "n")),
            Kind::Invalid,
            "amount",
        ),
        (grant("root/a", 1, ""), Kind::Invalid, "idempotency_key"),
        (
            grant("root/a", 1, &"k".repeat(201)),
            Kind::Invalid,
            "idempotency_key",
        ),
        (grant("root/none", 1, "n"), Kind::Invalid, "account"),
        (
            GrantRequest {
                expires_ms: Some(5),
                ..treasury(grant("root/a", 1, "n"))
            },
            Kind::Invalid,
            "expires_ms",
        ),
        (
            GrantRequest {
                expires_ms: Some(u64::MAX - 1),
                ..grant("root/a", 1, "n")
            },
            Kind::Invalid,
            "expires_ms",
        ),
        (
            GrantRequest {
                from: Some(Counterpart::Parent),
                ..grant("root", 1, "n")
            },
            Kind::Invalid,
            "from",
        ),
    ] {
        let error = control.operator().grant(&request).unwrap_err();
        assert_eq!(
            (error.kind, error.field.as_deref()),
            (kind, Some(field)),
            "{request:?}"
        );
    }
    let error = control
        .operator()
        .reclaim(&reclaim("root/a", 1, "n"))
        .unwrap_err();
    assert_eq!(
        (error.kind, error.field.as_deref()),
        (Kind::Conflict, Some("amount"))
    );
    assert_eq!(
        (available(&control, "root"), available(&control, "root/a")),
        (100, 0)
    );
    assert_eq!(control.ledger_status().unwrap().totals.moving, 0);
}

#[test]
fn a_wallet_says_whether_it_pays() {
    let folder = tempfile::tempdir().unwrap();
    let (control, _) = funded(folder.path());
    assert!(!control.operator().wallet("root/a").unwrap().pays);
    patch(&control, "root", r#"{"billing":"prepaid"}"#).unwrap();
    assert!(
        !control.operator().wallet("root/a").unwrap().pays,
        "the root's does"
    );
    let paying = control
        .operator()
        .account("root/a")
        .unwrap()
        .effective
        .wallet
        .unwrap();
    assert_eq!(
        (paying.source.as_str(), paying.available),
        ("root", Some(100))
    );
    patch(&control, "root/a", r#"{"billing":"prepaid"}"#).unwrap();
    assert!(control.operator().wallet("root/a").unwrap().pays);
    patch(&control, "root/a", r#"{"billing":"postpaid"}"#).unwrap();
    assert!(
        control
            .operator()
            .account("root/a")
            .unwrap()
            .effective
            .wallet
            .is_none()
    );
}

#[test]
fn expired_credit_is_moved_away_and_cannot_be_spent_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let request = GrantRequest {
        expires_ms: Some(now_ms() + 2_000),
        ..grant("root", 7, "short")
    };
    control.operator().grant(&request).unwrap();
    while control.operator().wallet("root").unwrap().expired == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(available(&control, "root"), 0);
    assert!(
        control
            .operator()
            .reclaim(&reclaim("root", 7, "late"))
            .is_err()
    );
    control.expire_due();
    let wallet = control.operator().wallet("root").unwrap();
    assert!(wallet.expired == 0 && wallet.lots.is_empty());
    let ledger = control.ledger_status().unwrap();
    assert_eq!((ledger.imbalance, ledger.totals.expired), (0, 7));
    end(control);
    assert_eq!(
        open(folder.path()).ledger_status().unwrap().totals.expired,
        7
    );
}

#[test]
fn a_ledger_with_a_damaged_record_does_not_start_and_says_how_to_restore() {
    let folder = tempfile::tempdir().unwrap();
    let (control, _) = funded(folder.path());
    let path = control.data().store();
    end(control);
    let store = DiskStore::open(&path, Durability::Process).unwrap();
    // Of the version that is written, but nothing that can be read.
    store.append_ledger(&[b"\x02junk".to_vec()], &[]).unwrap();
    drop(store);
    let error = Control::open(config(folder.path()))
        .err()
        .unwrap()
        .to_string();
    for word in ["record 2", "damaged", "tollgate restore", "move"] {
        assert!(error.contains(word), "{word}: {error}");
    }
}

/// A store on a disk that can be full, fail once the engine has what is to be written, or not confirm it.
pub(super) struct Filling {
    store: Arc<dyn Store>,
    pub(super) full: AtomicBool,
    pub(super) broken: AtomicBool,
    /// The engine has what is to be written, and says so, but the disk does not.
    pub(super) silent: AtomicBool,
    /// How many commits were asked for, those of rows aside.
    pub(super) commits: AtomicUsize,
}

/// A control plane on such a store, with what the folder has.
pub(super) fn on_filling_disk(folder: &Path) -> (Arc<Control>, Arc<Filling>) {
    let config = config(folder);
    let data = DataDir::at(&config.data.dir);
    let mut foundation = Foundation::lay(&config, &data, false).unwrap();
    let disk = Arc::new(Filling {
        store: foundation.store,
        full: AtomicBool::new(false),
        broken: AtomicBool::new(false),
        silent: AtomicBool::new(false),
        commits: AtomicUsize::new(0),
    });
    foundation.store = Arc::clone(&disk) as Arc<dyn Store>;
    (Control::raise(config, data, foundation).unwrap(), disk)
}

impl Filling {
    fn room(&self) -> Result<(), StoreError> {
        match self.full.load(Ordering::Relaxed) {
            true => Err(StoreError::Full {
                path: "disk".into(),
                free: 1,
                reserve: 2,
            }),
            false => Ok(()),
        }
    }

    fn written<T>(&self, done: T) -> Result<T, StoreError> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.answers() {
            return Err(StoreError::Unflushed {
                source: Box::new(error),
            });
        }
        match self.broken.load(Ordering::Relaxed) {
            true => Err(StoreError::Engine("the disk is gone".into())),
            false => Ok(done),
        }
    }
}

impl Filling {
    fn answers(&self) -> Result<(), StoreError> {
        match self.silent.load(Ordering::Relaxed) {
            true => Err(StoreError::Engine("no descriptor is left".into())),
            false => Ok(()),
        }
    }
}

impl Store for Filling {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.store.scan(table, visit)
    }

    fn scan_range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.store.scan_range(table, from, to, order, visit)
    }

    fn apply(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.room()?;
        self.written(self.store.apply(writes)?)
    }

    fn append_ledger(
        &self,
        records: &[Vec<u8>],
        writes: &[Write],
    ) -> Result<Range<u64>, StoreError> {
        self.room()?;
        self.written(self.store.append_ledger(records, writes)?)
    }

    fn append_usage(&self, rows: &UsageBatch) -> Result<(), StoreError> {
        self.room()?;
        self.store.append_usage(rows)
    }

    fn scan_rollups(
        &self,
        from: &[u8],
        to: &[u8],
        visit: &mut RollupVisit<'_>,
    ) -> Result<(), StoreError> {
        self.store.scan_rollups(from, to, visit)
    }

    fn fold_rollups(&self, pending: usize) -> Result<bool, StoreError> {
        self.room()?;
        self.store.fold_rollups(pending)
    }

    fn scan_usage(
        &self,
        range: Range<u64>,
        order: Order,
        visit: &mut dyn FnMut(u64, &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.store.scan_usage(range, order, visit)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.answers()?;
        self.store.flush()
    }

    fn export(&self, visit: &mut ExportVisit<'_>) -> Result<(), StoreError> {
        self.store.export(visit)
    }
}

#[test]
fn a_full_disk_refuses_a_grant_loses_nothing_and_takes_it_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let (control, _) = funded(folder.path());
    end(control);
    let (control, disk) = on_filling_disk(folder.path());
    disk.full.store(true, Ordering::Relaxed);
    let error = control
        .operator()
        .grant(&grant("root/a", 40, "k"))
        .unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(error.message.contains("full"), "{error}");
    let error = patch(&control, "root/a", r#"{"alias":"x"}"#).unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    let totals = control.ledger_status().unwrap();
    assert_eq!(
        (
            available(&control, "root"),
            available(&control, "root/a"),
            totals.totals.moving,
            totals.imbalance
        ),
        (100, 0, 0, 0)
    );
    disk.full.store(false, Ordering::Relaxed);
    assert!(
        !control
            .operator()
            .grant(&grant("root/a", 40, "k"))
            .unwrap()
            .repeated
    );
    assert_eq!(
        (available(&control, "root"), available(&control, "root/a")),
        (60, 40)
    );
}
