//! One edit inside a JSON value, worked out as the ranges to replace.

use std::borrow::Cow;
use std::ops::Range;

use super::pointer::{dotted, index};
use super::text::quote;
use super::walk::{Key, Raw, Shape};
use crate::Invalid;

/// Bytes to put in place of a range of the old ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Splice {
    pub(crate) range: Range<usize>,
    pub(crate) with: Vec<u8>,
}

/// What to do at the end of a pointer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action<'a> {
    Set(&'a [u8]),
    SetDefault(&'a [u8]),
    Remove,
    Rename(&'a str),
    Retain(&'a [String]),
}

/// `old` with the splices made. They must be sorted and apart.
pub(crate) fn splice(old: &[u8], splices: &[Splice]) -> Vec<u8> {
    let added: usize = splices.iter().map(|splice| splice.with.len()).sum();
    let mut new = Vec::with_capacity(old.len() + added);
    let mut from = 0;
    for Splice { range, with } in splices {
        new.extend_from_slice(&old[from..range.start]);
        new.extend_from_slice(with);
        from = range.end;
    }
    new.extend_from_slice(&old[from..]);
    new
}

/// The value for a place that has nothing yet: `value` inside as many objects as there are tokens left.
pub(crate) fn wrapped(tokens: &[Cow<'_, str>], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 16);
    for token in tokens {
        out.push(b'{');
        quote(&mut out, token);
        out.push(b':');
    }
    out.extend_from_slice(value);
    out.resize(out.len() + tokens.len(), b'}');
    out
}

/// The splices that do `action` at `path[done..]` of `value`, whose own place is `path[..done]`. None: nothing to do.
pub(crate) fn plan(
    value: Raw<'_>,
    path: &[Cow<'_, str>],
    done: usize,
    action: Action<'_>,
) -> Result<Vec<Splice>, Invalid> {
    let mut value = value;
    for done in done..path.len() {
        let rest = &path[done..];
        if rest.len() == 1 && value.shape() == Shape::Object && !matches!(action, Action::Retain(_))
        {
            return Ok(in_object(value, &rest[0], action));
        }
        let wanted = match value.shape() {
            Shape::Object => value.get(&rest[0]),
            Shape::Array => match element(value, &rest[0], &path[..=done]) {
                Err(_) if !matches!(action, Action::Set(_) | Action::SetDefault(_)) => {
                    return Ok(Vec::new());
                }
                Err(invalid) => return Err(invalid),
                Ok(Some(found)) if rest.len() == 1 && !matches!(action, Action::Retain(_)) => {
                    return in_array(value, found, action, path);
                }
                Ok(Some(found)) => Some(found),
                Ok(None) => return Ok(append(value, &rest[1..], action)),
            },
            Shape::Null => return Ok(set_nothing(value, rest, action)),
            other => {
                let message = format!(
                    "`{}` must be an object, not {}",
                    dotted(&path[..done]),
                    other.named()
                );
                return match action {
                    Action::Set(_) | Action::SetDefault(_) => {
                        Err(Invalid::param(dotted(&path[..done]), message))
                    }
                    _ => Ok(Vec::new()),
                };
            }
        };
        match wanted {
            Some(inner) => value = inner,
            None => return Ok(add_member(value, rest, action)),
        }
    }
    Ok(match action {
        Action::Retain(names) => retain(value, names),
        Action::SetDefault(new) if value.is_null() => vec![replace(value, new)],
        Action::Set(new) if new != value.bytes => vec![replace(value, new)],
        _ => Vec::new(),
    })
}

fn replace(value: Raw<'_>, new: &[u8]) -> Splice {
    Splice {
        range: value.at..value.at + value.bytes.len(),
        with: new.to_vec(),
    }
}

/// `null` where an object would have to be: it counts as nothing.
fn set_nothing(value: Raw<'_>, rest: &[Cow<'_, str>], action: Action<'_>) -> Vec<Splice> {
    match action {
        Action::Set(new) | Action::SetDefault(new) => vec![replace(value, &wrapped(rest, new))],
        _ => Vec::new(),
    }
}

fn add_member(object: Raw<'_>, rest: &[Cow<'_, str>], action: Action<'_>) -> Vec<Splice> {
    let (Action::Set(new) | Action::SetDefault(new)) = action else {
        return Vec::new();
    };
    let member = wrapped(rest, new);
    // Without its outer braces, behind the last member.
    let member = &member[1..member.len() - 1];
    match object.members().last() {
        Some((_, last)) => {
            let end = last.at + last.bytes.len();
            vec![Splice {
                range: end..end,
                with: [b",", member].concat(),
            }]
        }
        None => vec![Splice {
            range: object.at + 1..object.at + 1,
            with: member.to_vec(),
        }],
    }
}

/// The element a token stands for; `None`: the place behind the last.
fn element<'a>(
    array: Raw<'a>,
    token: &str,
    path: &[Cow<'_, str>],
) -> Result<Option<Raw<'a>>, Invalid> {
    if token == "-" {
        return Ok(None);
    }
    let place = || dotted(&path[..path.len() - 1]);
    let Some(wanted) = index(token) else {
        return Err(Invalid::param(
            place(),
            format!("`{}` must be an object, not an array", place()),
        ));
    };
    let mut items = array.items();
    match items.nth(wanted) {
        Some(found) => Ok(Some(found)),
        None if array.items().count() == wanted => Ok(None),
        None => Err(Invalid::param(
            place(),
            format!("`{}` has no element {wanted}", place()),
        )),
    }
}

fn append(array: Raw<'_>, rest: &[Cow<'_, str>], action: Action<'_>) -> Vec<Splice> {
    let (Action::Set(new) | Action::SetDefault(new)) = action else {
        return Vec::new();
    };
    let element = wrapped(rest, new);
    match array.items().last() {
        Some(last) => {
            let end = last.at + last.bytes.len();
            vec![Splice {
                range: end..end,
                with: [b",", &*element].concat(),
            }]
        }
        None => vec![Splice {
            range: array.at + 1..array.at + 1,
            with: element,
        }],
    }
}

fn in_array(
    array: Raw<'_>,
    found: Raw<'_>,
    action: Action<'_>,
    path: &[Cow<'_, str>],
) -> Result<Vec<Splice>, Invalid> {
    Ok(match action {
        Action::Remove => {
            let places: Vec<_> = array
                .items()
                .map(|item| (item.at, item.at + item.bytes.len(), item.at != found.at))
                .collect();
            without(&places)
        }
        Action::Rename(_) => {
            let place = dotted(path);
            return Err(Invalid::param(
                place.clone(),
                format!("`{place}` is in an array and has no name to change"),
            ));
        }
        Action::SetDefault(_) if !found.is_null() => Vec::new(),
        Action::Set(new) | Action::SetDefault(new) if new != found.bytes => {
            vec![replace(found, new)]
        }
        _ => Vec::new(),
    })
}

/// The last step: a member of an object. A name that is there twice is made single, so that nobody reads the other one.
fn in_object(object: Raw<'_>, name: &str, action: Action<'_>) -> Vec<Splice> {
    let Some(last) = object.get(name) else {
        return add_member(object, &[Cow::Borrowed(name)], action);
    };
    let keep = |keeps: &dyn Fn(Key<'_>, Raw<'_>) -> bool| {
        let places: Vec<_> = places(object)
            .map(|(key, start, value)| (start, value.at + value.bytes.len(), keeps(key, value)))
            .collect();
        without(&places)
    };
    let others = |key: Key<'_>, value: Raw<'_>| value.at == last.at || !key.is(name);
    let mut splices = match action {
        Action::Remove => return keep(&|key, _| !key.is(name)),
        Action::Rename(to) if to == name => return Vec::new(),
        Action::Rename(to) if object.get(to).is_some() => return keep(&|key, _| !key.is(name)),
        Action::SetDefault(_) if !last.is_null() => return Vec::new(),
        Action::Rename(_) | Action::Set(_) | Action::SetDefault(_) => keep(&others),
        Action::Retain(_) => return Vec::new(),
    };
    match action {
        Action::Rename(to) => {
            if let Some((key, start, _)) = places(object).find(|(_, _, value)| value.at == last.at)
            {
                let mut with = Vec::new();
                quote(&mut with, to);
                splices.push(Splice {
                    range: start..start + key.0.len() + 2,
                    with,
                });
            }
        }
        Action::Set(new) | Action::SetDefault(new) if new != last.bytes => {
            splices.push(replace(last, new))
        }
        _ => {}
    }
    splices.sort_by_key(|splice| splice.range.start);
    splices
}

fn retain(object: Raw<'_>, names: &[String]) -> Vec<Splice> {
    let places: Vec<_> = places(object)
        .map(|(key, start, value)| {
            (
                start,
                value.at + value.bytes.len(),
                names.iter().any(|name| key.is(name)),
            )
        })
        .collect();
    without(&places)
}

/// Members with the position of their name's opening quote.
fn places<'a>(object: Raw<'a>) -> impl Iterator<Item = (Key<'a>, usize, Raw<'a>)> {
    object.members().map(move |(key, value)| {
        let start = key.0.as_ptr() as usize - object.bytes.as_ptr() as usize;
        (key, object.at + start - 1, value)
    })
}

/// Cuts out the parts (start, end, keep) not kept, each with the one comma that is then too many.
pub(crate) fn without(parts: &[(usize, usize, bool)]) -> Vec<Splice> {
    let mut cuts = Vec::new();
    let mut kept = false;
    for (position, &(start, end, keep)) in parts.iter().enumerate() {
        if keep {
            kept = true;
            continue;
        }
        // Behind something kept, the comma before goes; else the comma after.
        let range = match (kept, parts.get(position + 1)) {
            (true, _) => parts[position - 1].1..end,
            (false, Some(&(next, _, _))) => start..next,
            (false, None) => start..end,
        };
        cuts.push(Splice {
            range,
            with: Vec::new(),
        });
    }
    cuts
}
