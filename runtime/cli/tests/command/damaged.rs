//! A store that was damaged: nothing is served, and what is said leads back to a gateway that is.

use std::fs;

use crate::place::Place;

#[test]
fn a_cut_store_is_not_served_and_what_is_said_leads_back_to_a_running_gateway() {
    let place = Place::new();
    let server = place.serve(&[]);
    for number in 0..20 {
        place.fine(&["account", "create", &format!("team-{number}")]);
    }
    place.fine(&["backup", "copy"]);
    server.signal("-TERM");
    assert!(server.ended().0.success());
    let store = place.data("store");
    let good = fs::read(store.join("db")).unwrap();
    for length in [good.len() / 3, good.len() / 2, 0] {
        fs::write(store.join("db"), &good[..length]).unwrap();
        let error = place.fails_to_serve();
        assert!(
            error.contains("the store in data/store is damaged"),
            "{length} bytes: {error}"
        );
        assert!(
            error.contains("move data/store away, then `tollgate restore"),
            "{length} bytes: {error}"
        );
        assert!(!place.data("addresses.json").exists(), "{length} bytes");
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
