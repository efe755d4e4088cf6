//! Whether answers and prompts may be kept.

use super::*;

const NO: &str = r#"{"keep_answers":false}"#;
const YES: &str = r#"{"keep_answers":true}"#;
const UNSAID: &str = r#"{"keep_answers":null}"#;

#[test]
fn nothing_is_kept_below_an_account_that_says_so_whatever_a_nearer_one_says() {
    let keeps = |texts: &[&str]| path(texts).keeps_answers();
    for off in [
        &[NO][..],
        &[NO, "{}"],
        &[NO, YES],
        &["{}", NO, "{}"],
        &["{}", NO, YES],
        &[YES, NO, YES, YES],
        &["{}", YES, NO],
        &["{}", "{}", NO],
    ] {
        assert!(!keeps(off), "{off:?}");
    }
    for on in [
        &["{}"][..],
        &["{}", "{}"],
        &[YES, YES],
        &["{}", YES, "{}"],
        &[UNSAID],
        &[UNSAID, "{}"],
        &[UNSAID, YES],
    ] {
        assert!(keeps(on), "{on:?}");
    }
}

#[test]
fn what_an_account_says_is_about_what_is_below_it_and_nothing_beside_it() {
    let mut bench = Bench::new();
    bench.account_with("root", "off", NO).unwrap();
    bench.account("root/off", "below").unwrap();
    bench.account("root", "beside").unwrap();
    let keeps = |bench: &Bench, target: &str| bench.path(target).keeps_answers();
    assert!(!keeps(&bench, "root/off/below"));
    assert!(keeps(&bench, "root/beside") && keeps(&bench, "root"));
    bench
        .patch("root/off/below", r#"{"parent":"root/beside"}"#)
        .unwrap();
    assert!(keeps(&bench, "root/beside/below"));
    bench.patch("root/off", UNSAID).unwrap();
    assert!(keeps(&bench, "root/off"));
    bench.patch("root", NO).unwrap();
    assert!(!keeps(&bench, "root/off") && !keeps(&bench, "root/beside/below"));
}
