//! A request in another dialect: refused by name, or one that the other dialect's vendors take; the same each time.

use serde_json::{Value, json};
use tollgate_dialect::bridge::{Abilities, Target, request};
use tollgate_dialect::{Dialect, render};

use crate::input::Input;
use crate::invariants;
use crate::stream::{is_json, shown};
use crate::support::DIALECTS;

const ABILITIES: [&str; 14] = [
    "reasoning",
    "adaptive-thinking",
    "structured-output",
    "custom-tools",
    "web-search",
    "no-sampling",
    "reasoning-content",
    "developer-role",
    "string-content",
    "max-completion-tokens",
    "system-messages",
    "cache-control",
    "prompt-cache-key",
    "reasoning-summaries",
];

/// See the module.
pub fn check(data: &[u8]) {
    let Some(input) = Input::of(data) else { return };
    let from = input.pick(0, &DIALECTS);
    let abilities = u16::from_le_bytes([input.byte(1), input.byte(2)]);
    let able = ABILITIES.iter().enumerate();
    let able = able.filter(|(at, _)| abilities >> at & 1 == 0);
    let abilities = Abilities::from_names(able.map(|(_, name)| *name));
    for dialect in DIALECTS.into_iter().filter(|dialect| *dialect != from) {
        let target = Target {
            dialect,
            family: "maker",
            model: "asked",
            max_output_tokens: [None, Some(16_000), Some(1_024), Some(1)]
                [usize::from(input.byte(3)) % 4],
            default_output_tokens: input.bit(3, 2).then_some(32_000),
            abilities,
        };
        across(from, input.payload, &target);
    }
}

fn across(from: Dialect, body: &[u8], target: &Target<'_>) {
    let bridged = match request(from, body, target) {
        Ok(bridged) => bridged,
        Err(error) => {
            assert!(is_json(&render(from, &error, "req1").body));
            assert!(!error.message.is_empty());
            return;
        }
    };
    let again = request(from, body, target).expect("as before");
    assert!(
        again.body == bridged.body,
        "equal input gives equal bytes\n{}",
        shown(body)
    );
    assert_eq!(
        (bridged.context.from, bridged.context.to),
        (from, target.dialect)
    );
    assert!(
        is_json(&bridged.body),
        "{}\n→\n{}",
        shown(body),
        shown(&bridged.body)
    );
    // Half a surrogate pair, or a number that no float holds: what passes as JSON text passes with these.
    let Ok(mut written) = serde_json::from_slice::<Value>(&bridged.body) else {
        return;
    };
    if let Err(wrong) = accepted(target, &mut written, body) {
        panic!(
            "{from:?} to {:?}: {wrong}\n{}\n→\n{}",
            target.dialect,
            shown(body),
            shown(&bridged.body)
        );
    }
}

/// The invariants are those of a vendor that knows the older name of the cap.
fn accepted(target: &Target<'_>, written: &mut Value, sent: &[u8]) -> Result<(), String> {
    if target.abilities.max_completion_tokens
        && let Value::Object(members) = &mut *written
        && let Some(cap) = members.remove("max_completion_tokens")
    {
        members.insert("max_tokens".to_owned(), cap);
    }
    // A schema passes as it is: whether it is one is between the client and the vendor.
    for tool in written["tools"].as_array_mut().into_iter().flatten() {
        for place in ["/parameters", "/function/parameters", "/input_schema"] {
            if let Some(schema) = tool.pointer_mut(place) {
                *schema = json!({ "type": "object" });
            }
        }
    }
    match invariants::valid(target.dialect, written) {
        // Who says nothing is told so by the vendor.
        Err(wrong) if wrong == "no messages" => Ok(()),
        // And so is who names two tools the same.
        Err(wrong) if wrong.starts_with("two tools named ") && names_two_the_same(sent) => Ok(()),
        verdict => verdict,
    }
}

/// Whether the client has two tools of one name.
fn names_two_the_same(sent: &[u8]) -> bool {
    fn names<'a>(tools: &'a Value, found: &mut Vec<&'a str>) {
        for tool in tools.as_array().into_iter().flatten() {
            let places = ["/function/name", "/custom/name", "/name"];
            let name = places.iter().find_map(|place| tool.pointer(place));
            found.extend(name.and_then(Value::as_str));
            names(&tool["tools"], found);
        }
    }
    let Ok(sent) = serde_json::from_slice::<Value>(sent) else {
        return false;
    };
    let mut found = Vec::new();
    names(&sent["tools"], &mut found);
    found.sort_unstable();
    found.windows(2).any(|pair| pair[0] == pair[1])
}
