//! However a stream is cut, what comes out is the same.

use proptest::prelude::*;

use super::support::*;

#[test]
fn every_cut_in_two_gives_the_same_output() {
    for fixture in fixtures().iter().filter(|fixture| fixture.streams) {
        for client in fixture.clients() {
            let context = context(client, fixture.vendor);
            let expected = stream(&context, &fixture.bytes);
            for cut in 1..fixture.bytes.len() {
                let (first, second) = fixture.bytes.split_at(cut);
                assert!(
                    pieces(&context, [first, second]) == expected,
                    "{} {} cut at {cut}",
                    fixture.name,
                    short(client)
                );
            }
        }
    }
}

#[test]
fn byte_by_byte_gives_the_same_output() {
    for fixture in fixtures().iter().filter(|fixture| fixture.streams) {
        for client in fixture.clients() {
            let context = context(client, fixture.vendor);
            assert!(
                pieces(&context, fixture.bytes.chunks(1)) == stream(&context, &fixture.bytes),
                "{} {}",
                fixture.name,
                short(client)
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn random_cuts_give_the_same_output(sizes in proptest::collection::vec(1usize..200, 1..40)) {
        for fixture in fixtures().iter().filter(|fixture| fixture.streams) {
            for client in fixture.clients() {
                let context = context(client, fixture.vendor);
                let mut rest = &fixture.bytes[..];
                let mut cut = Vec::new();
                for size in sizes.iter().cycle() {
                    if rest.is_empty() {
                        break;
                    }
                    let (piece, after) = rest.split_at((*size).min(rest.len()));
                    cut.push(piece);
                    rest = after;
                }
                prop_assert!(pieces(&context, cut) == stream(&context, &fixture.bytes));
            }
        }
    }
}

/// What can be told is told at once: after each event of the vendor the client has all the text in it.
#[test]
fn deltas_are_not_held_back() {
    let chunk = |delta: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let events = [
        (chunk(r#"{"role":"assistant","content":"alpha"}"#), "alpha"),
        (chunk(r#"{"content":"beta"}"#), "beta"),
        (
            chunk(
                r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"weather","arguments":""}}]}"#,
            ),
            // It may not be the whole name.
            "",
        ),
        (
            chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":"gamma"}}]}"#),
            "gamma",
        ),
        (
            chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":"delta_"}}]}"#),
            "delta_",
        ),
    ];
    for client in [RESPONSES, MESSAGES] {
        let mut bridge = bridge(&context(client, CHAT));
        for (event, told) in &events {
            let mut out = Vec::new();
            bridge.push(event.as_bytes(), &mut out);
            assert!(text(&out).contains(told), "{told} {}", short(client));
        }
    }
}
