//! Which model may be asked for, and which is served for it.

use super::*;

#[test]
fn unset_restricts_nothing_and_an_empty_list_allows_nothing_at_any_depth() {
    assert!(path(&["{}", "{}"]).allows_model("anything"));
    let empty = r#"{"models":[]}"#;
    for boundaries in [
        [empty, "{}"],
        ["{}", empty],
        [empty, r#"{"models":["*"]}"#],
        [r#"{"models":["*"]}"#, empty],
    ] {
        assert!(!path(&boundaries).allows_model("m"), "{boundaries:?}");
        assert_eq!(path(&boundaries).resolve("m"), None, "{boundaries:?}");
    }
    // Null takes the restriction away; it is not the empty list.
    assert!(path(&[r#"{"models":null}"#]).allows_model("m"));
}

#[test]
fn allow_lists_of_a_path_intersect_and_no_level_is_skipped() {
    let lists = [
        r#"{"models":["a*","b"]}"#,
        r#"{"models":["*1","b"]}"#,
        "{}",
        r#"{"models":["a1","a2","b","c1"]}"#,
    ];
    for (model, allowed) in [
        ("a1", true),
        ("b", true),
        ("a2", false),
        ("c1", false),
        ("a", false),
    ] {
        assert_eq!(path(&lists).allows_model(model), allowed, "{model}");
    }
    // Each list alone stops what only the others allow: also the one in the middle.
    for cut in 0..3 {
        let mut lists = [r#"{"models":["m"]}"#; 3];
        lists[cut] = r#"{"models":["other"]}"#;
        assert!(!path(&lists).allows_model("m"), "level {cut}");
    }
}

#[test]
fn what_any_account_denies_nobody_below_may_ask_for_whatever_is_allowed() {
    let path = path(&[
        r#"{"denied_models":["*-preview"]}"#,
        r#"{"models":["gpt-*"],"denied_models":["gpt-3*"]}"#,
        r#"{"models":["gpt-*","gpt-3","gpt-5-preview"]}"#,
    ]);
    for (model, allowed) in [
        ("gpt-5", true),
        ("gpt-3", false),
        ("gpt-3.5", false),
        ("gpt-5-preview", false),
        ("o3", false),
    ] {
        assert_eq!(path.allows_model(model), allowed, "{model}");
    }
    assert!(path.restricts_models());
    assert!(!super::path(&["{}", r#"{"providers":["a"]}"#]).restricts_models());
}

#[test]
fn the_nearest_map_wins_and_what_it_gives_is_not_mapped_again() {
    let path = path(&[
        r#"{"model_map":{"fast":"root-fast","leaf-fast":"twice","slow":"root-slow"}}"#,
        r#"{"model_map":{"fast":"leaf-fast"}}"#,
    ]);
    assert_eq!(path.resolve("fast").unwrap(), "leaf-fast");
    assert_eq!(path.resolve("slow").unwrap(), "root-slow");
    assert_eq!(path.resolve("leaf-fast").unwrap(), "twice");
    assert_eq!(path.resolve("other").unwrap(), "other");
    let names: Vec<_> = path.mapped_names().collect();
    assert_eq!(names, ["fast", "leaf-fast", "slow", "fast"]);
}

#[test]
fn a_nearer_glob_wins_over_a_farther_exact_entry_and_exact_wins_within_one_account() {
    let path = path(&[
        r#"{"model_map":{"gpt-5":"root-exact"}}"#,
        r#"{"model_map":{"gpt-*":"glob","gpt-5*":"longer","gpt-6":"exact"}}"#,
    ]);
    for (asked, served) in [("gpt-5", "longer"), ("gpt-4", "glob"), ("gpt-6", "exact")] {
        assert_eq!(path.resolve(asked).unwrap(), served, "{asked}");
    }
    assert_eq!(path.mapped_names().collect::<Vec<_>>(), ["gpt-5", "gpt-6"]);
}

#[test]
fn the_name_asked_for_must_pass_up_to_the_owner_of_the_map_and_the_name_served_from_there_up() {
    let map = r#""model_map":{"fast":"gpt-5"}"#;
    let dept = |rest: &str| format!("{{{map}{rest}}}");
    let resolves = |root: &str, dept: &str, leaf: &str| {
        let path = path(&[root, dept, leaf]);
        path.resolve("fast").map(std::borrow::Cow::into_owned)
    };
    let served = Some("gpt-5".to_owned());
    let plain = dept("");
    // Below the owner only the name asked for counts, above it only the name served.
    assert_eq!(resolves("{}", &plain, r#"{"models":["fast"]}"#), served);
    assert_eq!(resolves("{}", &plain, r#"{"models":["gpt-5"]}"#), None);
    assert_eq!(
        resolves("{}", &plain, r#"{"denied_models":["fast"]}"#),
        None
    );
    assert_eq!(resolves(r#"{"models":["gpt-5"]}"#, &plain, "{}"), served);
    assert_eq!(resolves(r#"{"models":["fast"]}"#, &plain, "{}"), None);
    assert_eq!(
        resolves(r#"{"denied_models":["gpt-*"]}"#, &plain, "{}"),
        None
    );
    // The owner's own lists count for both.
    let both = dept(r#","models":["fast","gpt-5"]"#);
    assert_eq!(resolves("{}", &both, "{}"), served);
    for models in [r#"["fast"]"#, r#"["gpt-5"]"#, "[]"] {
        let one = dept(&format!(r#","models":{models}"#));
        assert_eq!(resolves("{}", &one, "{}"), None, "{models}");
    }
    let denied = dept(r#","denied_models":["gpt-5"]"#);
    assert_eq!(resolves("{}", &denied, "{}"), None);
}

#[test]
fn an_accounts_own_map_is_no_way_out_of_what_its_ancestors_allow() {
    for (root, dept) in [
        (r#"{"models":["cheap"]}"#, "{}"),
        ("{}", r#"{"models":["cheap"]}"#),
        (r#"{"denied_models":["dear"]}"#, "{}"),
        ("{}", r#"{"denied_models":["d*"]}"#),
    ] {
        let path = path(&[root, dept, r#"{"model_map":{"cheap":"dear","*":"dear"}}"#]);
        for asked in ["cheap", "dear", "x"] {
            assert_eq!(path.resolve(asked), None, "{root} {dept} {asked}");
        }
    }
}

#[test]
fn a_model_that_a_policy_chooses_must_pass_every_list_of_the_path() {
    let path = path(&[
        r#"{"models":["a","b"]}"#,
        r#"{"models":["b","c"],"model_map":{"x":"b"}}"#,
    ]);
    // The map is not asked: a fallback is named as it is served.
    let allowed: Vec<_> = ["a", "b", "c", "x"]
        .map(|model| path.allows_model(model))
        .into();
    assert_eq!(allowed, [false, true, false, false]);
}
