//! One request there and back: what it says then is what it said, as far as both dialects can say it.

use serde_json::Value;
use tollgate_dialect::bridge::{Context, Target};
use tollgate_dialect::{ApiError, Dialect};

use super::invariants::valid;
use super::meaning::{Entry, Meaning, OTHERS, meaning};
use super::said::{kept, said_in};
use super::sayable::{Way, members, same_tool};
use super::support::*;
use super::there_and_back::two_way;

/// How far a request came.
pub(crate) enum Trip {
    Back,
    /// The way there refused it.
    Refused(ApiError),
    /// There it has words for what its own dialect knows as words of certain vendors only: `top_k` in Chat.
    NoWayBack,
}

/// Vendors that can do what their dialects can, as far as it leads back.
pub(crate) fn two_ways(from: Dialect, over: Dialect) -> [Target<'static>; 2] {
    let key = ![from, over].contains(&Dialect::AnthropicMessages);
    [over, from].map(|dialect| {
        let mut target = two_way(dialect);
        target.abilities.prompt_cache_key = key;
        target
    })
}

/// Takes a request there and back.
pub(crate) fn there_and_back(
    body: &Value,
    from: Dialect,
    over: Dialect,
    targets: [Target<'_>; 2],
) -> Result<Trip, String> {
    let [there_target, back_target] = &targets;
    let there = match bridged(from, &body.to_string(), there_target) {
        Ok(there) => there,
        Err(error) => return Ok(Trip::Refused(error)),
    };
    let text = std::str::from_utf8(&there.body).unwrap();
    let back = match bridged(over, text, back_target) {
        Ok(back) => back,
        Err(error) if error.param.as_deref() == Some("top_k") && !body["top_k"].is_null() => {
            return Ok(Trip::NoWayBack);
        }
        Err(error) => return Err(format!("refused on the way back: {error:?}")),
    };
    let value: Value = serde_json::from_slice(&back.body).unwrap();
    valid(from, &value)?;
    let again = bridged(from, std::str::from_utf8(&back.body).unwrap(), there_target)
        .map_err(|error| format!("refused the second time: {error:?}"))?;
    let way = Way { from, over };
    let wanted = way.sayable(meaning(from, over, body), &there.context)?;
    let mut got = meaning(from, over, &value);
    got.settings.remove(OTHERS);
    got.rename(&back.context);
    got.rename(&there.context);
    way.plain(&mut got);
    same(wanted, got, way, &there.context)?;
    // Once more, and nothing else becomes of it.
    let once_more = bridged(over, std::str::from_utf8(&again.body).unwrap(), back_target)
        .map_err(|error| format!("refused on the second way back: {error:?}"))?;
    let mut second: Value = serde_json::from_slice(&once_more.body).unwrap();
    // Messages shows its thinking where nothing is said of it, and then it is asked for.
    if value["thinking"]["type"] == "adaptive" {
        second["thinking"] = value["thinking"].clone();
    }
    differs(&value, &second, "").map_or(Ok(Trip::Back), |at| {
        Err(format!("the second time differs {at}"))
    })
}

/// Takes a request to a vendor that can do little and back: it is not refused then, and nothing that was said is lost.
pub(crate) fn back_from_little(body: &Value, from: Dialect, over: Dialect) -> Result<(), String> {
    let Ok(there) = bridged(from, &body.to_string(), &bare(over)) else {
        return Ok(());
    };
    let [_, target] = two_ways(from, over);
    let back = bridged(over, std::str::from_utf8(&there.body).unwrap(), &target)
        .map_err(|error| format!("refused on the way back from little: {error:?}"))?;
    let value = serde_json::from_slice(&back.body).unwrap();
    valid(from, &value)?;
    // What the way back renames may have been renamed before.
    let mut names = there.context.clone();
    names.tools.extend(back.context.tools.iter().map(|tool| {
        let mut known = there.context.tool(&tool.name).unwrap_or(tool).clone();
        known.wire.clone_from(&tool.wire);
        known
    }));
    kept(&said_in(from, body), &said_in(from, &value), &names)
        .map_err(|wrong| format!("from little: {wrong}"))
}

fn same(wanted: Meaning, mut got: Meaning, way: Way, there: &Context) -> Result<(), String> {
    for (number, (wanted, got)) in wanted.said.iter().zip(&mut got.said).enumerate() {
        // An id that some dialect does not take is another then, and which result is whose is told by the number.
        if let (Entry::Call { id: None, .. }, Entry::Call { id, .. }) = (wanted, &mut *got) {
            *id = None;
        }
        if wanted != got {
            return Err(format!(
                "number {number} was said: {wanted:?}\nnow: {got:?}"
            ));
        }
    }
    if wanted.said.len() != got.said.len() {
        let (before, now) = (wanted.said.len(), got.said.len());
        let rest = wanted
            .said
            .get(now.min(before)..)
            .or(got.said.get(before..));
        return Err(format!(
            "{before} were said, now {now}: {rest:?} {:?}",
            got.said.get(before..)
        ));
    }
    if let Some(structured) = &there.structured_tool {
        got.tools.retain(|tool| tool.name != *structured);
    }
    let names = |meaning: &Meaning| -> Vec<_> {
        meaning.tools.iter().map(|tool| tool.name.clone()).collect()
    };
    if names(&wanted) != names(&got) {
        return Err(format!("tools {:?}\nnow {:?}", names(&wanted), names(&got)));
    }
    for (wanted, got) in wanted.tools.iter().zip(&got.tools) {
        if !same_tool(wanted, got, way) {
            return Err(format!("tool {wanted:?}\nnow {got:?}"));
        }
    }
    if there.structured_tool.is_none()
        && (&wanted.choice, wanted.single) != (&got.choice, got.single)
    {
        return Err(format!(
            "choice {} {}, now {} {}",
            wanted.choice, wanted.single, got.choice, got.single
        ));
    }
    let mut settings = [wanted.settings, got.settings];
    // What Messages enforces of a schema is the same in other words.
    if [way.from, way.over].contains(&Dialect::AnthropicMessages) {
        let [wanted, got] = settings.each_mut().map(|settings| {
            settings.remove("schema strict");
            settings.remove("schema").map(|schema| members(&schema))
        });
        if wanted != got {
            return Err(format!("schema {wanted:?}\nnow {got:?}"));
        }
    }
    let [wanted, got] = settings;
    if wanted != got {
        return Err(format!("settings {wanted:?}\nnow {got:?}"));
    }
    Ok(())
}

/// Where two trees first differ.
fn differs(first: &Value, second: &Value, at: &str) -> Option<String> {
    match (first, second) {
        (Value::Object(one), Value::Object(other)) => {
            let mut names: Vec<_> = one.keys().chain(other.keys()).collect();
            names.dedup();
            names
                .into_iter()
                .find_map(|name| differs(&first[name], &second[name], &format!("{at}.{name}")))
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let pairs = one.iter().zip(other).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (one, other))| differs(one, other, &format!("{at}[{index}]")))
        }
        _ => (first != second).then(|| format!("at {at}: {first} now {second}")),
    }
}
