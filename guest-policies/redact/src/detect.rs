//! Whether something to redact begins at a place in a text.

use crate::numbers;

/// One thing to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Detector {
    Email,
    Card,
    Phone,
    ApiKey,
    Literal(String),
}

/// What is known of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// The text ends before it is decided.
    Undecided,
    /// So many bytes from the place on.
    Match {
        length: usize,
        endless: bool,
    },
}

/// A place in a text.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The text from the place on.
    pub(crate) rest: &'a [u8],
    /// The byte before the place; a space at the beginning.
    pub(crate) before: u8,
    /// No more text will follow.
    pub(crate) ended: bool,
}

impl Place<'_> {
    /// What a run up to the end of the text means: more may follow, or not.
    pub(crate) fn at_end(&self) -> Found {
        if self.ended {
            Found::Nothing
        } else {
            Found::Undecided
        }
    }
}

impl Found {
    pub(crate) fn of(length: usize) -> Self {
        Self::Match {
            length,
            endless: false,
        }
    }
}

impl Detector {
    /// Looks at a place.
    pub(crate) fn at(&self, place: Place) -> Found {
        match self {
            Self::Email => email(place),
            Self::Card => numbers::card(place),
            Self::Phone => numbers::phone(place),
            Self::ApiKey => api_key(place),
            Self::Literal(literal) => begins(place, literal.as_bytes()),
        }
    }

    /// Whether anything it looks for begins with this byte.
    pub(crate) fn may_begin(&self, byte: u8) -> bool {
        match self {
            Self::Email => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Card => byte.is_ascii_digit(),
            Self::Phone => byte.is_ascii_digit() || matches!(byte, b'+' | b'('),
            Self::ApiKey => byte.is_ascii_alphabetic(),
            Self::Literal(literal) => literal.as_bytes()[0] == byte,
        }
    }
}

fn begins(place: Place, word: &[u8]) -> Found {
    let known = place.rest.len().min(word.len());
    if place.rest[..known] != word[..known] {
        Found::Nothing
    } else if known == word.len() {
        Found::of(known)
    } else {
        place.at_end()
    }
}

/// How many of the first bytes are of a kind, at most `limit` + 1.
fn run(bytes: &[u8], limit: usize, of: impl Fn(u8) -> bool) -> usize {
    bytes
        .iter()
        .take(limit + 1)
        .take_while(|&&byte| of(byte))
        .count()
}

/// An address: up to 64 characters, `@`, and a domain of at least two labels, the last of letters.
fn email(place: Place) -> Found {
    const LOCAL: usize = 64;
    const DOMAIN: usize = 253;
    let Place { rest, before, .. } = place;
    // What follows a letter or digit belongs to a word that began before.
    if before.is_ascii_alphanumeric() || before == b'_' {
        return Found::Nothing;
    }
    let in_local =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-');
    let local = run(rest, LOCAL, in_local);
    if local == 0 || local > LOCAL {
        return Found::Nothing;
    }
    if local == rest.len() {
        return place.at_end();
    }
    if rest[local] != b'@' {
        return Found::Nothing;
    }
    let domain = &rest[local + 1..];
    let length = run(domain, DOMAIN, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')
    });
    if length == domain.len() && length <= DOMAIN && !place.ended {
        return Found::Undecided;
    }
    let end = domain[..length]
        .iter()
        .rposition(|byte| byte.is_ascii_alphanumeric())
        .map_or(0, |last| last + 1);
    if is_domain(&domain[..end]) {
        Found::of(local + 1 + end)
    } else {
        Found::Nothing
    }
}

fn is_domain(domain: &[u8]) -> bool {
    let mut labels = domain.split(|&byte| byte == b'.');
    let last = labels.next_back().unwrap_or_default();
    let mut others = labels.peekable();
    let top = last.len() >= 2 && last.iter().all(u8::is_ascii_alphabetic);
    top && others.peek().is_some() && others.all(|label| !label.is_empty())
}

/// Beginnings of secrets and how many characters follow them at least.
const KEYS: [(&str, usize); 18] = [
    ("sk-", 16),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xapp-", 16),
    ("AKIA", 16),
    ("AIza", 30),
    ("hf_", 20),
    ("npm_", 20),
    ("tg-", 32),
    ("eyJ", 32),
];

/// The longest key waited for; the rest of a longer one is dropped as it comes.
const LONGEST_KEY: usize = 512;

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Bytes that go on a key which is longer than any that is waited for.
pub(crate) fn goes_on(byte: u8) -> bool {
    is_key_byte(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b'=')
}

fn api_key(place: Place) -> Found {
    if is_key_byte(place.before) {
        return Found::Nothing;
    }
    let mut undecided = false;
    for (beginning, least) in KEYS {
        match begins(place, beginning.as_bytes()) {
            Found::Nothing => {}
            Found::Undecided => undecided = true,
            Found::Match { length, .. } => {
                // Signed tokens are three parts with dots between.
                let dots = beginning == "eyJ";
                match token(place, length, least, |byte| {
                    is_key_byte(byte) || (dots && byte == b'.')
                }) {
                    Found::Nothing => {}
                    found => return found,
                }
            }
        }
    }
    match bearer(place) {
        Found::Nothing if undecided => Found::Undecided,
        found => found,
    }
}

/// `Bearer` and what follows it, if that is long enough for a secret.
fn bearer(place: Place) -> Found {
    const WORD: &[u8] = b"bearer ";
    let known = place.rest.len().min(WORD.len());
    if !place.rest[..known].eq_ignore_ascii_case(&WORD[..known]) {
        return Found::Nothing;
    }
    if known < WORD.len() {
        return place.at_end();
    }
    token(place, known, 16, goes_on)
}

/// A run of at least `least` characters after a beginning.
fn token(place: Place, beginning: usize, least: usize, of: impl Fn(u8) -> bool) -> Found {
    let rest = &place.rest[beginning..];
    let length = run(rest, LONGEST_KEY, of);
    if length > LONGEST_KEY {
        return Found::Match {
            length: beginning + length,
            endless: true,
        };
    }
    if length == rest.len() && !place.ended {
        return Found::Undecided;
    }
    // A full stop at the end ends the sentence, not the key.
    let kept = rest[..length]
        .iter()
        .rposition(|&byte| byte != b'.')
        .map_or(0, |last| last + 1);
    if kept >= least {
        Found::of(beginning + kept)
    } else {
        Found::Nothing
    }
}
