//! A store in which a byte is not what it was: all is there, or it is not served and the way back is told.

use super::*;

const TEAMS: usize = 30;

#[test]
fn a_flipped_byte_anywhere_is_harmless_or_refused_with_the_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let control = open_by_day(folder.path());
    for number in 0..TEAMS {
        account(&control, "root", &format!("team-{number}"));
        let now = now_ms() - number as u64;
        used(&control, &format!("root/team-{number}"), now, 7);
    }
    let store = control.data().store();
    end(control);
    let good = folder.path().join("good");
    std::fs::rename(&store, &good).unwrap();
    let size = std::fs::metadata(good.join("db")).unwrap().len();
    let (mut refused, mut harmless) = (0, 0);
    for turn in 0..40 {
        copy(&good, &store);
        let mut bytes = std::fs::read(store.join("db")).unwrap();
        let place = (size * turn / 40 + turn * 37) % size;
        // The first time nothing is flipped: what is refused later is refused for the flip.
        if turn > 0 {
            bytes[place as usize] ^= 0x5a;
        }
        std::fs::write(store.join("db"), bytes).unwrap();
        match Control::open(by_day(folder.path())) {
            Ok(control) => {
                for number in 0..TEAMS {
                    let team = control.operator().account(&format!("root/team-{number}"));
                    let spent = team.unwrap().effective.used.spent_today;
                    assert_eq!(spent, 7, "byte {place}: team-{number}");
                }
                end(control);
                harmless += 1;
            }
            Err(error) => {
                let told = error.to_string();
                assert!(turn > 0, "undamaged: {told}");
                assert!(told.contains("tollgate restore"), "byte {place}: {told}");
                refused += 1;
            }
        }
        std::fs::remove_dir_all(&store).unwrap();
    }
    assert!(
        refused > 0 && harmless > 0,
        "refused {refused}, harmless {harmless}"
    );
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
