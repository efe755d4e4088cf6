//! A request in another dialect: refused by name, or one that the other dialect's vendors take; the same each time.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tollgate_dialect::bridge::{Abilities, Target, request};
use tollgate_dialect::{Dialect, render};

use crate::input::Input;
use crate::invariants;
use crate::stream::{is_json, shown};
use crate::support::DIALECTS;

const ABILITIES: [&str; 27] = [
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
    "prompt-cache-breakpoints",
    "one-sampling-parameter",
    "no-required-tool",
    "no-named-tool",
    "always-thinks",
    "effort-minimal",
    "effort-low",
    "effort-medium",
    "effort-high",
    "effort-xhigh",
    "effort-max",
    "mcp",
    "code-execution",
];

/// See the module.
pub fn check(data: &[u8]) {
    let Some(input) = Input::of(data) else { return };
    let from = input.pick(0, &DIALECTS);
    // The low bits of the last byte are about the output cap; what the dialect leaves of the first has the last abilities.
    let last = u32::from(input.byte(0) / 3) << 21;
    let abilities =
        u32::from_le_bytes([input.byte(1), input.byte(2), input.byte(3) >> 3, 0]) | last;
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
    let instructs = |message: &Value| message["role"] == "system";
    if target.dialect == Dialect::AnthropicMessages
        && !target.abilities.system_messages
        && written["messages"]
            .as_array()
            .is_some_and(|all| all.iter().any(instructs))
    {
        return Err("instructions where they may not stand".to_owned());
    }
    match invariants::valid(target.dialect, written) {
        // Who says nothing is told so by the vendor.
        Err(wrong) if wrong == "no messages" => Ok(()),
        // And so is who names two tools the same.
        Err(wrong) if wrong.starts_with("two tools named ") && names_two_the_same(sent) => Ok(()),
        verdict => verdict,
    }
}

/// Whether the client has two tools of one name. Read member by member: beside the names stand schemas, which need not be a
/// tree for serde.
fn names_two_the_same(sent: &[u8]) -> bool {
    fn names(tools: &RawValue, found: &mut Vec<String>) {
        let tools: Vec<&RawValue> = serde_json::from_str(tools.get()).unwrap_or_default();
        for tool in tools {
            let inner = ["function", "custom"].map(|kind| member(tool, kind));
            let mut places = inner.into_iter().flatten().chain([tool]);
            let name = places.find_map(|place| {
                serde_json::from_str::<Mended>(member(place, "name")?.get()).ok()
            });
            found.extend(name.map(|name| name.0));
            member(tool, "tools")
                .into_iter()
                .for_each(|tools| names(tools, found));
        }
    }
    // What is no JSON (here: an escape that is none, in a member that nobody reads) is refused before it gets to the bridge.
    let Ok(sent) = serde_json::from_slice::<&RawValue>(sent) else {
        return true;
    };
    let Some(tools) = member(sent, "tools") else {
        return false;
    };
    let mut found = Vec::new();
    names(tools, &mut found);
    found.sort_unstable();
    found.windows(2).any(|pair| pair[0] == pair[1])
}

/// A text as the bridge takes it: what stands for half a character is the same for each half.
struct Mended(String);

impl<'de> Deserialize<'de> for Mended {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        // Asked for bytes, serde_json gives half a surrogate pair as the three bytes that are no UTF-8.
        json.deserialize_bytes(Self(String::new()))
    }
}

impl Visitor<'_> for Mended {
    type Value = Self;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a text")
    }

    fn visit_bytes<E>(self, text: &[u8]) -> Result<Self, E> {
        let text = String::from_utf8_lossy(text);
        Ok(Self(text.replace("\u{fffd}\u{fffd}\u{fffd}", "\u{fffd}")))
    }
}

/// A member of an object.
fn member<'v>(object: &'v RawValue, name: &str) -> Option<&'v RawValue> {
    let mut members: HashMap<String, &RawValue> = serde_json::from_str(object.get()).ok()?;
    members.remove(name)
}
