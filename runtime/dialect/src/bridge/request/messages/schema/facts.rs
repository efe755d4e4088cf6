//! What one schema is, looked at as a whole before its members are.

use std::collections::HashSet;

use crate::json::walk::{Key, Raw, Shape};

/// What decides how the members of a schema are read.
pub(super) struct Facts {
    /// A `$ref`: nothing else counts.
    pub(super) refers: bool,
    /// It has a type.
    pub(super) typed: bool,
    /// The type is left out: values or branches say which it is.
    pub(super) type_goes: bool,
    /// It lists its values.
    pub(super) literals: bool,
    /// Its values are objects.
    pub(super) object: bool,
    /// It allows no members that it does not name.
    pub(super) closed: bool,
}

impl Facts {
    /// Nothing where the subset has no such schema.
    pub(super) fn of(members: &[(Key<'_>, Raw<'_>)]) -> Option<Self> {
        let find = |name: &str| {
            let found = members.iter().rfind(|(key, _)| key.is(name));
            found.map(|(_, value)| *value)
        };
        let kind = find("type");
        let literals = find("enum").filter(|list| is_plain_list(*list)).is_some()
            || find("const").is_some_and(is_plain);
        let branches = find("anyOf").is_some() || find("oneOf").is_some();
        let properties = find("properties");
        let names_object = kind.is_some_and(|kind| {
            kind.is_word("object") || kind.items().any(|one| one.is_word("object"))
        });
        let object = !branches && (names_object || (kind.is_none() && properties.is_some()));
        let facts = Self {
            refers: find("$ref").is_some(),
            typed: kind.is_some(),
            // A type that not every value has is refused.
            type_goes: kind.is_some_and(|kind| {
                branches
                    || find("enum")
                        .or(find("const"))
                        .is_some_and(|values| literals && !fits(kind, values))
            }),
            literals,
            object,
            closed: find("additionalProperties").is_some_and(|more| more.bytes == b"false"),
        };
        if facts.refers {
            return Some(facts);
        }
        let known = facts.typed || branches || literals || object;
        // Both would have to hold.
        let mixed = (find("anyOf").is_some() && find("oneOf").is_some())
            || (branches && (properties.is_some() || find("items").is_some()));
        (known
            && !mixed
            && (!object
                || facts.closes(properties, find("additionalProperties"), find("required"))))
        .then_some(facts)
    }

    /// Whether an object may be closed: else it would be one without members, and was none.
    fn closes(
        &self,
        properties: Option<Raw<'_>>,
        more: Option<Raw<'_>>,
        required: Option<Raw<'_>>,
    ) -> bool {
        let some = properties.is_some_and(|properties| properties.members().next().is_some());
        let may = match more {
            None => properties.is_some(),
            Some(_) if self.closed => true,
            // A schema for the members that have no name: a map.
            Some(more) => some && (more.bytes == b"true" || more.members().next().is_none()),
        };
        // What must be there could not.
        let names: HashSet<_> = properties
            .into_iter()
            .flat_map(Raw::members)
            .map(|(key, _)| key.text())
            .collect();
        let named = |name: Raw<'_>| name.text().is_some_and(|name| names.contains(&name));
        may && required.is_none_or(|required| required.items().all(named))
    }
}

/// Whether a value has no parts.
pub(super) fn is_plain(value: Raw<'_>) -> bool {
    !matches!(value.shape(), Shape::Object | Shape::Array)
}

/// Whether this is a list of such values.
pub(super) fn is_plain_list(list: Raw<'_>) -> bool {
    list.items().next().is_some() && list.items().all(is_plain)
}

/// Whether all of the values (or the one) are of the type.
fn fits(kind: Raw<'_>, values: Raw<'_>) -> bool {
    let of_kind = |value: Raw<'_>| match value.shape() {
        Shape::String => kind.is_word("string"),
        Shape::Bool => kind.is_word("boolean"),
        Shape::Null => kind.is_word("null"),
        Shape::Number => kind.is_word("number") || kind.is_word("integer"),
        Shape::Object | Shape::Array => false,
    };
    match values.shape() {
        Shape::Array => values.items().all(of_kind),
        _ => of_kind(values),
    }
}

/// Whether a pattern is of the simple kind that is enforced: no look-around, no reference back, no word borders.
pub(super) fn is_simple(pattern: Raw<'_>) -> bool {
    let Some(pattern) = pattern.text() else {
        return false;
    };
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        match letter {
            '\\' if next.is_some_and(|next| {
                !matches!(next, 'd' | 'D' | 'w' | 'W' | 's' | 'S') && next.is_alphanumeric()
            }) =>
            {
                return false;
            }
            '\\' => {
                letters.next();
            }
            '(' if next == Some('?') => return false,
            '{' => return false,
            _ => {}
        }
    }
    true
}
