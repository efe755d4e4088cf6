//! Prices as they are stated: which one is taken, in which currency, under which version, and what is refused.

use std::collections::BTreeMap;

use super::*;

#[test]
fn an_unknown_price_is_refused_unless_a_default_is_set() {
    let error = Price::first_known("m-9", None, None, None).unwrap_err();
    assert!(error.to_string().contains("m-9"));
    let free = Price::default();
    assert_eq!(
        Price::first_known("m", None, None, Some(price())),
        Ok(price())
    );
    assert_eq!(
        Price::first_known("m", None, Some(free.clone()), Some(price())),
        Ok(free.clone())
    );
    assert_eq!(
        Price::first_known("m", Some(price()), Some(free), None),
        Ok(price())
    );
}

#[test]
fn other_currencies_are_converted_with_the_operators_rate() {
    let rates = Rates::new("usd", BTreeMap::from([("cny".to_owned(), 140_000)]));
    let list: ListPrice =
        serde_json::from_str(r#"{"currency":"CNY","input":4000000,"output":16000000}"#).unwrap();
    let price = rates.to_base(&list).unwrap();
    assert_eq!(
        (
            price.input,
            price.cache_read,
            price.cache_write_1h,
            price.output
        ),
        (560_000, 560_000, 560_000, 2_240_000)
    );
    let euro = ListPrice {
        currency: "EUR".into(),
        ..list.clone()
    };
    assert_eq!(
        rates.to_base(&euro),
        Err(PriceError::Currency("EUR".into()))
    );
    let huge = ListPrice {
        output: u64::MAX,
        ..list
    };
    let rates = Rates::new("USD", BTreeMap::from([("CNY".to_owned(), 2_000_000)]));
    assert_eq!(rates.to_base(&huge), Err(PriceError::TooLarge));
}

#[test]
fn a_price_changed_without_a_new_name_still_has_a_new_version() {
    let rates = |cny| Rates::new("USD", BTreeMap::from([("CNY".to_owned(), cny)]));
    let version = |cny, list: &ListPrice| rates(cny).to_base(list).unwrap().version;
    let list = ListPrice {
        currency: "CNY".into(),
        input: 4_000_000,
        output: 16_000_000,
        version: Some("2026-11".into()),
        ..ListPrice::default()
    };
    let first = version(140_000, &list);
    assert!(first.starts_with("2026-11@"), "{first}");
    assert_eq!(first.len(), "2026-11@".len() + 12);
    assert_eq!(first, version(140_000, &list));
    let dearer = ListPrice {
        output: 16_000_001,
        ..list.clone()
    };
    assert_ne!(first, version(1_000_000, &dearer));
    assert_ne!(first, version(141_000, &list), "another rate");
    let unnamed = ListPrice {
        version: None,
        ..list.clone()
    };
    assert_eq!(
        &*version(140_000, &unnamed),
        first.split_once('@').unwrap().1
    );
    let tier = ListTier {
        above: 100_000,
        input: 4_000_000,
        output: 16_000_000,
        ..ListTier::default()
    };
    let tiered = ListPrice {
        tiers: vec![tier],
        ..list
    };
    assert_ne!(first, version(140_000, &tiered));
}

#[test]
fn a_hostile_price_is_refused() {
    let rates = Rates::new("USD", BTreeMap::from([("XXX".to_owned(), 0)]));
    let list = ListPrice {
        currency: "USD".into(),
        input: 1,
        output: 1,
        ..ListPrice::default()
    };
    let refused = |change: &dyn Fn(&mut ListPrice)| {
        let mut list = list.clone();
        change(&mut list);
        rates.to_base(&list).unwrap_err()
    };
    assert_eq!(
        refused(&|list| list.currency = "xxx".into()),
        PriceError::Currency("XXX".into()),
        "a rate of zero would give everything away"
    );
    assert_eq!(
        refused(&|list| list.output = 1_000_000_000_000_001),
        PriceError::TooLarge
    );
    assert_eq!(
        refused(&|list| list.request = Some(u64::MAX)),
        PriceError::TooLarge
    );
    let tier = |above| ListTier {
        above,
        input: 1,
        output: 1,
        ..ListTier::default()
    };
    for thresholds in [vec![0], vec![5, 5], vec![9, 5], (1..=17).collect()] {
        assert_eq!(
            refused(&|list| list.tiers = thresholds.iter().copied().map(tier).collect()),
            PriceError::Tiers
        );
    }
    for version in ["a\nb".to_owned(), "x".repeat(65)] {
        assert_eq!(
            refused(&|list| list.version = Some(version.clone())),
            PriceError::Version
        );
    }
    for text in [
        r#"{"currency":"USD","input":-1,"output":1}"#,
        r#"{"currency":"USD","input":1.5,"output":1}"#,
        r#"{"currency":"USD","input":1,"output":1,"tiers":[{"above":-1,"input":1,"output":1}]}"#,
        r#"{"currency":"USD","input":1,"output":1,"outptu":1}"#,
    ] {
        assert!(serde_json::from_str::<ListPrice>(text).is_err(), "{text}");
    }
}
