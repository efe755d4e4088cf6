//! A JSON schema in the subset that vendors of Messages enforce: every object is closed and nothing has bounds.
//!
//! What the subset lacks is told instead, at the end of the description, as the vendor's own libraries do it. What would
//! come to mean something else, a map or a tree, has no form here at all.

mod facts;
mod refs;

use std::borrow::Cow;

use self::facts::{Facts, is_plain, is_plain_list, is_simple};
use crate::bridge::request::shared::compact;
use crate::json::text::escape;
use crate::json::walk::{Key, Raw, Shape};

/// Schemas nested deeper than this are not looked through.
const DEEPEST: usize = 64;

/// Wrappers around a schema more than these are not taken off.
const MOST_WRAPPED: usize = 3;

/// Formats of strings that are enforced.
const FORMATS: [&str; 10] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "uri",
    "ipv4",
    "ipv6",
    "uuid",
];

/// The schema as it is enforced: the client's own bytes wherever nothing must change. Nothing if the subset cannot say it.
pub(super) fn enforceable(schema: &str) -> Option<Cow<'_, str>> {
    let root = Raw::new(schema.as_bytes());
    if !refs::can_be_followed(root) {
        return None;
    }
    subset(root, DEEPEST)
}

/// The same for the arguments of a tool, which are an object and say so at once.
pub(super) fn enforceable_arguments(schema: &str) -> Option<Cow<'_, str>> {
    enforceable(schema).filter(|made| {
        let kind = Raw::new(made.as_bytes()).get("type");
        kind.is_some_and(|kind| kind.is_word("object"))
    })
}

fn as_text(value: Raw<'_>) -> &str {
    std::str::from_utf8(value.bytes).unwrap_or_default()
}

/// A schema under way: its members in their order.
struct Made<'a> {
    members: Vec<(Key<'a>, Cow<'a, str>)>,
    /// What can only be told.
    told: Vec<(Key<'a>, Raw<'a>)>,
    /// Whether it is another than the client's.
    changed: bool,
}

fn subset(value: Raw<'_>, depth: usize) -> Option<Cow<'_, str>> {
    let depth = depth.checked_sub(1)?;
    // `true` and `{}` allow anything, which is no form to enforce.
    if value.shape() != Shape::Object {
        return None;
    }
    let mut members: Vec<_> = value.members().collect();
    let mut made = Made {
        members: Vec::with_capacity(members.len() + 1),
        told: Vec::new(),
        changed: false,
    };
    for _ in 0..MOST_WRAPPED {
        made.changed |= unwrap_single(&mut members)?;
    }
    if members.iter().any(|(key, _)| key.is("allOf")) {
        return None;
    }
    let facts = Facts::of(&members)?;
    for (key, inner) in &members {
        made.add(*key, *inner, &facts, depth)?;
    }
    made.finish(value, &facts)
}

/// `allOf` around one schema, as some libraries write a reference with a description, is that schema; several that must all
/// hold are not in the subset. Says whether there was one.
fn unwrap_single<'a>(members: &mut Vec<(Key<'a>, Raw<'a>)>) -> Option<bool> {
    let Some(at) = members.iter().position(|(key, _)| key.is("allOf")) else {
        return Some(false);
    };
    let (_, all) = members.remove(at);
    let mut branches = all.items();
    let (Some(only), None) = (branches.next(), branches.next()) else {
        return None;
    };
    let around = |name: &str| members.iter().any(|(key, _)| key.is(name));
    let inner: Vec<_> = only
        .members()
        .filter(|(key, _)| {
            !["title", "description", "default"]
                .iter()
                .any(|name| key.is(name) && around(name))
        })
        .collect();
    // Constraints of both would have to hold.
    if members.iter().any(|(key, _)| !is_note(*key)) {
        return None;
    }
    members.extend(inner);
    Some(true)
}

/// Whether a member only describes the schema, or holds definitions.
fn is_note(key: Key<'_>) -> bool {
    const NOTES: [&str; 9] = [
        "title",
        "description",
        "default",
        "examples",
        "$defs",
        "definitions",
        "$schema",
        "$id",
        "$comment",
    ];
    NOTES.iter().any(|name| key.is(name))
}

impl<'a> Made<'a> {
    fn keep(&mut self, key: Key<'a>, value: Raw<'a>) {
        self.members.push((key, Cow::Borrowed(as_text(value))));
    }

    fn tell(&mut self, key: Key<'a>, value: Raw<'a>) {
        self.told.push((key, value));
        self.changed = true;
    }

    /// A member that is a schema, or holds some.
    fn nest(&mut self, key: Key<'a>, value: Cow<'a, str>) {
        self.changed |= matches!(value, Cow::Owned(_));
        self.members.push((key, value));
    }

    fn add(&mut self, key: Key<'a>, value: Raw<'a>, facts: &Facts, depth: usize) -> Option<()> {
        let name = key.text();
        match &*name {
            "$defs" | "definitions" => self.nest(key, named(value, depth)?),
            "$ref" => self.keep(key, value),
            // What stands beside a reference is no part of the schema.
            _ if facts.refers => self.changed = true,
            "$schema" | "$id" | "$comment" => self.changed = true,
            "$anchor" | "$dynamicAnchor" | "$dynamicRef" | "$recursiveRef"
            | "patternProperties" | "prefixItems" => {
                return None;
            }
            "type" if facts.type_goes => self.changed = true,
            "type" | "title" | "default" | "required" => self.keep(key, value),
            "description" if value.shape() == Shape::String => self.keep(key, value),
            "enum" if is_plain_list(value) => self.keep(key, value),
            "const" if is_plain(value) => self.keep(key, value),
            "anyOf" => self.nest(key, listed(value, depth)?),
            "oneOf" => {
                self.changed = true;
                self.nest(Key(b"anyOf"), listed(value, depth)?);
            }
            "properties" => self.nest(key, named(value, depth)?),
            "additionalProperties" if !facts.object && !facts.closed => self.tell(key, value),
            "additionalProperties" if !facts.object => self.changed = true,
            "additionalProperties" if facts.closed => self.keep(key, value),
            "additionalProperties" => self.nest(key, Cow::Owned("false".to_owned())),
            "items" => self.nest(key, subset(value, depth)?),
            "minItems" if matches!(value.bytes, b"0" | b"1") => self.keep(key, value),
            "format" if FORMATS.iter().any(|known| value.is_word(known)) => self.keep(key, value),
            "pattern" if is_simple(value) => self.keep(key, value),
            _ => self.tell(key, value),
        }
        Some(())
    }

    fn finish(mut self, value: Raw<'a>, facts: &Facts) -> Option<Cow<'a, str>> {
        let has = |made: &Self, name: &str| made.members.iter().any(|(key, _)| key.is(name));
        if facts.object && !facts.refers {
            if !facts.typed && !facts.literals {
                self.members
                    .insert(0, (Key(b"type"), Cow::Borrowed("\"object\"")));
                self.changed = true;
            }
            if !has(&self, "additionalProperties") {
                self.members
                    .push((Key(b"additionalProperties"), Cow::Borrowed("false")));
                self.changed = true;
            }
        }
        if !self.told.is_empty() {
            let told = self.description();
            match self
                .members
                .iter_mut()
                .find(|(key, _)| key.is("description"))
            {
                Some((_, description)) => *description = Cow::Owned(told),
                None => self.members.push((Key(b"description"), Cow::Owned(told))),
            }
        }
        if !self.changed {
            return Some(Cow::Borrowed(as_text(value)));
        }
        Some(Cow::Owned(object(&self.members)))
    }

    /// The description, with what can only be told after it: `{minimum: 1, maximum: 10}`.
    fn description(&self) -> String {
        let said = self.members.iter().find(|(key, _)| key.is("description"));
        let said = said
            .and_then(|(_, text)| Raw::new(text.as_bytes()).text())
            .unwrap_or_default();
        let told: Vec<_> = self
            .told
            .iter()
            .map(|(key, value)| format!("{}: {}", key.text(), compact(as_text(*value))))
            .collect();
        let between = if said.is_empty() { "" } else { "\n\n" };
        let mut json = vec![b'"'];
        escape(
            &mut json,
            &format!("{said}{between}{{{}}}", told.join(", ")),
        );
        json.push(b'"');
        String::from_utf8(json).unwrap_or_default()
    }
}

/// An object whose members are schemas.
fn named(value: Raw<'_>, depth: usize) -> Option<Cow<'_, str>> {
    let members = value
        .members()
        .map(|(key, inner)| Some((key, subset(inner, depth)?)))
        .collect::<Option<Vec<_>>>()?;
    match members
        .iter()
        .any(|(_, made)| matches!(made, Cow::Owned(_)))
    {
        true => Some(Cow::Owned(object(&members))),
        false => Some(Cow::Borrowed(as_text(value))),
    }
}

/// A list of schemas.
fn listed(value: Raw<'_>, depth: usize) -> Option<Cow<'_, str>> {
    let elements = value
        .items()
        .map(|inner| subset(inner, depth))
        .collect::<Option<Vec<_>>>()?;
    if elements.is_empty() {
        return None;
    }
    match elements.iter().any(|made| matches!(made, Cow::Owned(_))) {
        true => Some(Cow::Owned(format!("[{}]", elements.join(",")))),
        false => Some(Cow::Borrowed(as_text(value))),
    }
}

fn object(members: &[(Key<'_>, Cow<'_, str>)]) -> String {
    let mut json = String::from("{");
    for (index, (key, value)) in members.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push('"');
        // As it was written, its escapes included.
        json.push_str(std::str::from_utf8(key.0).unwrap_or_default());
        json.push_str("\":");
        json.push_str(value);
    }
    json.push('}');
    json
}

#[cfg(test)]
mod tests;
