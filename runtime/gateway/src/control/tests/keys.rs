//! Keys over time: begun, replaced, expired, revoked, killed.

use tollgate_governance::{DeleteMode, KeyDraft, KeyState};

use super::*;

#[test]
fn a_replaced_key_goes_on_for_the_grace_and_its_successor_may_do_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let draft = KeyDraft {
        account: "root".to_owned(),
        scope: serde_json::from_str(r#"{"models":["m*"]}"#).unwrap(),
        ..KeyDraft::default()
    };
    let old = control.operator().create_key(&draft).unwrap();
    let id = old.view.id.to_string();
    let before = now_ms();
    let new = control.operator().rotate_key(&id, None).unwrap();
    assert_eq!(new.view.scope.models.as_deref().unwrap(), ["m*"]);
    let replaced = new.replaces.as_ref().unwrap();
    assert_eq!(replaced.successor, Some(new.view.id));
    assert_eq!(replaced.state, KeyState::Active);
    let day = 86_400_000;
    assert!((before + day..=now_ms() + day).contains(&replaced.expires_ms.unwrap()));
    assert!(known(&control, old.key.expose()) && known(&control, new.key.expose()));
    let error = control.operator().rotate_key(&id, None).err().unwrap();
    assert_eq!(error.kind, Kind::Conflict, "it has a successor already");
    let newest = control
        .operator()
        .rotate_key(&new.view.id.to_string(), Some(0))
        .unwrap();
    assert_eq!(newest.replaces.unwrap().state, KeyState::Revoked);
    assert!(!known(&control, new.key.expose()));
    assert!(control.operator().rotate_key("none", None).is_err());
}

#[test]
fn a_list_of_keys_tells_the_state_of_each_and_when_it_was_last_used() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let make = |from: Option<u64>, end: Option<u64>| {
        let draft = KeyDraft {
            account: "root".to_owned(),
            not_before_ms: from,
            expires_ms: end,
            ..KeyDraft::default()
        };
        control.operator().create_key(&draft)
    };
    let active = make(None, None).unwrap();
    make(Some(now_ms() + 1_000_000), None).unwrap();
    let revoked = make(None, None).unwrap();
    control
        .operator()
        .revoke_key(&revoked.view.id.to_string(), false)
        .unwrap();
    let ending = make(None, Some(now_ms() + 2_000)).unwrap();
    let error = make(None, Some(5)).err().unwrap();
    assert_eq!(error.field.as_deref(), Some("expires_ms"));
    let mac = control.hasher().mac(active.key.expose());
    let caller = control.snapshot().accounts.find(&mac).unwrap();
    caller.used_at(123_000);
    while control
        .operator()
        .key(&ending.view.id.to_string())
        .unwrap()
        .state
        == KeyState::Active
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    let states: Vec<_> = control
        .operator()
        .keys(&Listing::default())
        .unwrap()
        .keys
        .iter()
        .map(|key| (key.state, key.last_used_ms))
        .collect();
    assert_eq!(states.len(), 4);
    for wanted in [
        (KeyState::Active, Some(123_000)),
        (KeyState::NotYet, None),
        (KeyState::Revoked, None),
        (KeyState::Expired, None),
    ] {
        assert!(states.contains(&wanted), "{wanted:?} is not in {states:?}");
    }
}

#[test]
fn a_killed_key_is_revoked_first_and_then_told_to_every_worker_and_a_revoked_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let (quiet, loud) = (key(&control, "root"), key(&control, "root"));
    let mut seen = control.kills().count();
    control
        .operator()
        .revoke_key(&quiet.view.id.to_string(), false)
        .unwrap();
    assert!(control.kills().since(&mut seen).is_empty());
    control
        .operator()
        .revoke_key(&loud.view.id.to_string(), true)
        .unwrap();
    assert!(!known(&control, loud.key.expose()));
    assert_eq!(control.kills().since(&mut seen), [loud.view.id]);
    // A key that was only revoked at first can be killed later.
    control
        .operator()
        .revoke_key(&quiet.view.id.to_string(), true)
        .unwrap();
    assert_eq!(control.kills().since(&mut seen), [quiet.view.id]);
}

/// The rows that a start reads are those of a month: a key that rests for longer would look as if nobody ever had it.
#[test]
fn when_a_key_was_last_used_outlives_the_rows_that_tell_it() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let (used, unused) = (key(&control, "root"), key(&control, "root"));
    let at = now_ms();
    let mac = control.hasher().mac(used.key.expose());
    let caller = control.snapshot().accounts.find(&mac).unwrap();
    caller.used_at(at);
    drop(caller);
    end(control);
    for _ in 0..2 {
        let control = open(folder.path());
        let last = |key: &IssuedKey| {
            let view = control.operator().key(&key.view.id.to_string());
            view.unwrap().last_used_ms
        };
        assert_eq!((last(&used), last(&unused)), (Some(at), None));
        end(control);
    }
}

#[test]
fn what_is_written_of_keys_is_written_once_and_goes_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "guest");
    let guest = key(&control, "root/guest");
    let mac = control.hasher().mac(guest.key.expose());
    let caller = control.snapshot().accounts.find(&mac).unwrap();
    caller.used_at(7_000);
    drop(caller);
    let noted = || {
        let mut noted = Vec::new();
        keys_used::scan(&*control.store, &mut |key, last| noted.push((key, last))).unwrap();
        noted
    };
    control.tend_at(3_600);
    assert_eq!(noted(), [(guest.view.id, 7_000)]);
    let deleted = control
        .operator()
        .delete_account("root/guest", DeleteMode::Cascade);
    deleted.unwrap();
    control.tend_at(7_200);
    assert_eq!(noted(), []);
}

/// A request that is under way notes the use of its key when the key is long revoked; what is then written down is the time,
/// and nothing that a later start could take for the key.
#[test]
fn a_use_that_is_written_down_after_the_revocation_does_not_bring_the_key_back() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let issued = key(&control, "root");
    let id = issued.view.id.to_string();
    let mac = control.hasher().mac(issued.key.expose());
    let late = control.snapshot().accounts.find(&mac).unwrap();
    control.operator().revoke_key(&id, false).unwrap();
    let at = now_ms();
    late.used_at(at);
    drop(late);
    control.note_keys_used();
    assert!(!known(&control, issued.key.expose()));
    end(control);
    let control = open(folder.path());
    let view = control.operator().key(&id).unwrap();
    assert_eq!(
        (view.state, view.last_used_ms),
        (KeyState::Revoked, Some(at))
    );
    assert!(!known(&control, issued.key.expose()));
}
