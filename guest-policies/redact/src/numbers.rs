//! Card and phone numbers: digits in groups.

use crate::detect::{Found, Place};

/// Digits with single separators between, read from a place.
struct Groups {
    /// For each group: how many digits it has, how many there are up to its end, and where it ends.
    groups: [(usize, usize, usize); MAX_GROUPS],
    count: usize,
    /// The text ended where more digits could follow.
    open: bool,
}

const MAX_GROUPS: usize = 20;

impl Groups {
    /// Reads at most `most` digits from `start` on. `gap` says how many bytes stand between two groups.
    fn read(place: Place, start: usize, most: usize, gap: impl Fn(&[u8]) -> usize) -> Self {
        let rest = place.rest;
        let mut read = Self {
            groups: [(0, 0, 0); MAX_GROUPS],
            count: 0,
            open: false,
        };
        let (mut at, mut total) = (start, 0);
        while read.count < MAX_GROUPS {
            let digits = rest[at..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            total += digits;
            if digits == 0 || total > most {
                break;
            }
            at += digits;
            read.groups[read.count] = (digits, total, at);
            read.count += 1;
            let between = gap(&rest[at..]);
            if at + between == rest.len() {
                read.open = !place.ended;
                break;
            }
            if between == 0 || !rest[at + between].is_ascii_digit() {
                break;
            }
            at += between;
        }
        read
    }

    fn slice(&self) -> &[(usize, usize, usize)] {
        &self.groups[..self.count]
    }
}

/// A card number: 13 to 19 digits in groups, with a right check digit.
pub(crate) fn card(place: Place) -> Found {
    if place.before.is_ascii_alphanumeric() || !matches!(place.rest.first(), Some(b'2'..=b'6')) {
        return Found::Nothing;
    }
    let one = |rest: &[u8]| usize::from(matches!(rest.first(), Some(b' ' | b'-')));
    let read = Groups::read(place, 0, 19, one);
    if read.open {
        return Found::Undecided;
    }
    let ends = read
        .slice()
        .iter()
        .rev()
        .filter(|(_, total, _)| *total >= 13);
    let valid = ends
        .map(|&(_, _, end)| end)
        .find(|&end| luhn(&place.rest[..end]));
    valid.map_or(Found::Nothing, Found::of)
}

/// Whether the last digit is the check digit of the others.
fn luhn(text: &[u8]) -> bool {
    let digits = text.iter().rev().filter(|byte| byte.is_ascii_digit());
    let sum: u32 = digits
        .enumerate()
        .map(|(index, byte)| {
            let digit = u32::from(byte - b'0') * (1 + index as u32 % 2);
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// A phone number: `+` or `00` and a country code, three-three-four as in North America, or a national number that
/// begins with 0 and an area code.
pub(crate) fn phone(place: Place) -> Found {
    if place.before.is_ascii_alphanumeric() || matches!(place.before, b'+' | b'.' | b'/' | b'_') {
        return Found::Nothing;
    }
    let rest = place.rest;
    let first = rest.first().copied().unwrap_or_default();
    let marked = matches!(first, b'+' | b'(');
    let start = usize::from(marked) + usize::from(first == b'+' && rest.get(1) == Some(&b'('));
    if start >= rest.len() {
        return place.at_end();
    }
    let read = Groups::read(place, start, 17, separator);
    if read.open {
        return Found::Undecided;
    }
    let groups = read.slice();
    let ends = (1..=groups.len()).rev();
    let number = |&count: &usize| is_phone(first, &rest[start..], &groups[..count]);
    ends.into_iter()
        .find(number)
        .map_or(Found::Nothing, |count| Found::of(groups[count - 1].2))
}

/// One of ` - . /`, or a parenthesis with a space beside it.
fn separator(rest: &[u8]) -> usize {
    match rest {
        [b')', b' ' | b'-', ..] | [b' ', b'(', ..] => 2,
        [b' ' | b'-' | b'.' | b'/' | b'(' | b')', ..] => 1,
        _ => 0,
    }
}

fn is_phone(first: u8, digits: &[u8], groups: &[(usize, usize, usize)]) -> bool {
    let total = groups.last().map_or(0, |group| group.1);
    let sizes: [usize; 3] =
        std::array::from_fn(|index| groups.get(index).map_or(0, |group| group.0));
    if first == b'+' {
        return (8..=15).contains(&total);
    }
    if digits.starts_with(b"00") {
        return (10..=17).contains(&total);
    }
    if groups.len() == 3 && sizes == [3, 3, 4] {
        // Neither an area code nor an exchange begins with 0 or 1 there.
        return digits[0] >= b'2';
    }
    let area = groups.len() >= 2 && (3..=6).contains(&sizes[0]);
    digits[0] == b'0' && area && (9..=13).contains(&total)
}
