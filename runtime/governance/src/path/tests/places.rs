//! Who is enabled; which providers, operations and networks; tags and policies.

use super::*;

#[test]
fn a_suspended_account_anywhere_on_the_path_disables_it() {
    let suspended = r#"{"status":"suspended"}"#;
    assert!(path(&["{}", "{}", "{}"]).is_enabled());
    for cut in 0..3 {
        let mut boundaries = ["{}"; 3];
        boundaries[cut] = suspended;
        assert!(!path(&boundaries).is_enabled(), "level {cut}");
    }
}

#[test]
fn providers_and_endpoints_intersect_and_an_empty_list_allows_none() {
    let path = path(&[
        r#"{"providers":["a","b"],"endpoints":["messages","responses"]}"#,
        "{}",
        r#"{"providers":["b","c"],"endpoints":["messages","embeddings"]}"#,
    ]);
    let providers = ["a", "b", "c"].map(|name| path.allows_provider(name));
    assert_eq!(providers, [false, true, false]);
    let endpoints = ["messages", "responses", "embeddings"].map(|name| path.allows_endpoint(name));
    assert_eq!(endpoints, [true, false, false]);
    let none = super::path(&[r#"{"providers":[],"endpoints":[]}"#, "{}"]);
    assert!(!none.allows_provider("a") && !none.allows_endpoint("messages"));
    let unset = super::path(&["{}", "{}"]);
    assert!(unset.allows_provider("a") && unset.allows_endpoint("messages"));
}

#[test]
fn an_address_must_be_in_a_network_of_every_account_that_names_some() {
    let path = path(&[
        r#"{"cidrs":["10.0.0.0/8","2001:db8::/32"]}"#,
        "{}",
        r#"{"cidrs":["10.1.0.0/16","192.168.0.0/16","2001:db8:1::/48"]}"#,
    ]);
    for (address, allowed) in [
        ("10.1.2.3", true),
        ("10.2.0.1", false),
        ("192.168.1.1", false),
        ("2001:db8:1::7", true),
        ("2001:db8:2::7", false),
        // A listener on `::` sees clients of IPv4 so.
        ("::ffff:10.1.2.3", true),
        ("::ffff:10.2.0.1", false),
        ("::10.1.2.3", false),
    ] {
        let address = address.parse().unwrap();
        assert_eq!(path.allows_address(Some(address)), allowed, "{address}");
    }
}

#[test]
fn an_unknown_address_passes_only_where_nobody_asks() {
    assert!(path(&["{}", "{}"]).allows_address(None));
    for cidrs in [r#"{"cidrs":["0.0.0.0/0","::/0"]}"#, r#"{"cidrs":[]}"#] {
        assert!(!path(&[cidrs, "{}"]).allows_address(None), "{cidrs}");
        assert!(!path(&["{}", cidrs]).allows_address(None), "{cidrs}");
    }
    let nowhere = path(&[r#"{"cidrs":[]}"#]);
    assert!(!nowhere.allows_address(Some("127.0.0.1".parse().unwrap())));
}

#[test]
fn a_network_of_mapped_addresses_is_the_network_of_ipv4_that_it_maps() {
    let mapped = path(&[r#"{"cidrs":["::ffff:10.1.0.0/112"]}"#]);
    let allows = |address: &str| mapped.allows_address(Some(address.parse().unwrap()));
    assert!(allows("10.1.2.3") && allows("::ffff:10.1.2.3"));
    assert!(!allows("10.2.2.3") && !allows("::ffff:10.2.2.3"));
    // All of IPv6 is not IPv4, as in every other tool.
    let six = path(&[r#"{"cidrs":["::/0"]}"#]);
    assert!(!six.allows_address(Some("10.1.2.3".parse().unwrap())));
}

#[test]
fn policies_run_root_first_and_tags_are_the_nearest_accounts() {
    let mut bench = Bench::new();
    let tags = |cc: &str| format!(r#"{{"tags":{{"cc":"{cc}"}}}}"#);
    bench.patch("root", &tags("root")).unwrap();
    bench.account_with("root", "dept", &tags("dept")).unwrap();
    bench
        .account_with("root/dept", "team", r#"{"tags":{"own":"x"}}"#)
        .unwrap();
    bench.attach("team", "root/dept/team", -9);
    bench.attach("dept", "root/dept", 0);
    bench.attach("root", "root", 9);
    let path = bench.path("root/dept/team");
    let order: Vec<_> = path.attachments().map(|attached| &*attached.id).collect();
    assert_eq!(order, ["root", "dept", "team"]);
    let tags: Vec<_> = path.tags().into_iter().collect();
    assert_eq!(tags, [("cc", "dept"), ("own", "x")]);
}
