//! A store that was damaged: nothing is served, and what is said leads back to a gateway that is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::place::Place;

const TEAMS: usize = 20;

/// A gateway that has ended, its teams in the store and in a backup called `copy`.
fn stopped() -> Place {
    let place = Place::new();
    let server = place.serve(&[]);
    for number in 0..TEAMS {
        place.fine(&["account", "create", &format!("team-{number}")]);
    }
    place.fine(&["backup", "copy"]);
    server.signal("-TERM");
    assert!(server.ended().0.success());
    place
}

#[test]
fn a_cut_store_is_not_served_and_what_is_said_leads_back_to_a_running_gateway() {
    let place = stopped();
    let store = place.data("store");
    let good = fs::read(store.join("db")).unwrap();
    for length in [good.len() / 3, good.len() / 2, 0] {
        fs::write(store.join("db"), &good[..length]).unwrap();
        let error = place.fails_to_serve();
        assert!(
            error.contains("the store in data/store: it is damaged"),
            "{length} bytes: {error}"
        );
        assert!(
            error.contains("move that folder away and keep it, then `tollgate restore"),
            "{length} bytes: {error}"
        );
        assert_eq!(error.matches("data/store").count(), 1, "{error}");
        assert!(!place.data("addresses.json").exists(), "{length} bytes");
        assert!(fs::read(store.join("db")).unwrap() == good[..length]);
        // A second try finds it damaged, too, and not a smaller one that is whole.
        assert!(place.fails_to_serve().contains("is damaged"));
    }
    fs::rename(&store, place.data("damaged")).unwrap();
    place.fine(&["restore", "copy"]);
    let server = place.serve(&[]);
    assert!(place.fine(&["account", "list"]).contains("team-19"));
    server.signal("-TERM");
    assert!(server.ended().0.success());
}

/// All is there, or nothing is served and the way back is told; `control/tests/damage.rs` of the gateway flips more of them,
/// in one process.
#[test]
fn a_flipped_byte_is_not_served_and_the_way_back_is_told_or_nothing_is_missing() {
    let place = stopped();
    let (store, good) = (place.data("store"), place.data("good"));
    fs::rename(&store, &good).unwrap();
    let (mut refused, mut harmless) = (0, 0);
    // Undamaged first: what is refused later is refused for its flip.
    for flip in std::iter::once(None).chain(flips(&good).into_iter().map(Some)) {
        copy(&good, &store);
        if let Some((file, at)) = &flip {
            let mut bytes = fs::read(store.join(file)).unwrap();
            bytes[*at] ^= 0x5a;
            fs::write(store.join(file), bytes).unwrap();
        }
        match place.may_serve() {
            Ok(server) => {
                let listed = place.fine(&["account", "list"]);
                for number in 0..TEAMS {
                    let team = format!("  team-{number} ");
                    assert!(listed.contains(&team), "{flip:?}: {team} is gone: {listed}");
                }
                server.signal("-TERM");
                assert!(server.ended().0.success(), "{flip:?}");
                harmless += 1;
            }
            Err(said) => {
                assert!(flip.is_some(), "undamaged: {said}");
                let told = ["data/store", "tollgate restore"].map(|words| said.contains(words));
                assert_eq!(told, [true; 2], "{flip:?}: {said}");
                refused += 1;
            }
        }
        fs::remove_dir_all(&store).unwrap();
    }
    assert!(
        refused > 0 && harmless > 0,
        "{refused} refused, {harmless} not"
    );
    // The way back that was told.
    place.fine(&["restore", "copy"]);
    let server = place.serve(&[]);
    assert!(place.fine(&["account", "list"]).contains("team-19"));
    server.signal("-TERM");
    assert!(server.ended().0.success());
}

/// Bytes of the engine's log, most of them where something is written, and one of each other file.
fn flips(store: &Path) -> Vec<(PathBuf, usize)> {
    let mut flips = Vec::new();
    for entry in fs::read_dir(store).unwrap().map(Result::unwrap) {
        let name = PathBuf::from(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            continue;
        }
        let bytes = fs::read(entry.path()).unwrap();
        let written: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        let count = if name == Path::new("db") { 16 } else { 1 };
        let places = (0..count).filter_map(|turn| written.get(written.len() * turn / count));
        flips.extend(places.map(|at| (name.clone(), *at)));
        if count > 1 {
            flips.push((name, bytes.len() - 1));
        }
    }
    flips
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
