//! What prices are multiplied by.

use super::*;

#[test]
fn a_factor_is_applied_to_the_exact_cost_and_rounded_once() {
    let price = Price {
        input: 1_400_000,
        ..Price::default()
    };
    let one = Tokens {
        input: 1,
        ..Tokens::default()
    };
    // 1.4 × 3 = 4.2. Rounding the cost to 1 first would charge 3.
    let of = |millionths| charge(&price, &one, Factor::new(millionths).unwrap());
    assert_eq!(
        of(3_000_000),
        Charge {
            base: 1,
            charged: 4
        }
    );
    assert_eq!(of(1_500_000).charged, 2);
    assert_eq!(of(1_000_000).charged, 1);
    assert_eq!(of(0).charged, 0);
    // 1.4 × 0.357143 = 0.5000002: up. 1.4 × 0.357142 = 0.4999988: down.
    assert_eq!((of(357_143).charged, of(357_142).charged), (1, 0));
}

#[test]
fn a_factor_beyond_a_thousandfold_is_refused_wherever_it_comes_from() {
    assert_eq!(
        Factor::new(1_000_000_001),
        Err(PriceError::Factor(1_000_000_001))
    );
    assert!(serde_json::from_str::<Factor>("18446744073709551615").is_err());
    assert!(serde_json::from_str::<Factor>("-1").is_err());
    assert_eq!(
        serde_json::from_str::<Factor>("1200000")
            .unwrap()
            .millionths(),
        1_200_000
    );
    assert_eq!(Factor::default(), Factor::ONE);
}
