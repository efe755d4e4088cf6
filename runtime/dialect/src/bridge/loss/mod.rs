//! What becomes of every field on its way to another dialect: one table, from which `docs/bridge.md` is made.
//! The code consults it for the members at the top of a request that nothing reads, and for the reasons of refusals; of
//! all else it only tells, and `tests/cases` has for every row and every target what shows that it tells the truth.

mod answers;
mod requests;

use std::fmt::Write;

use self::requests::VENDORS;
use crate::{ApiError, Dialect, ErrorKind};

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It says the same over there.
    Kept,
    /// It is said another way: how.
    Converted(&'static str),
    /// It is left out: why that is no harm.
    Dropped(&'static str),
    /// The request is refused with a 400 that names the field: why.
    Refused(&'static str),
}

/// One field of one dialect.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name, in the dialect's own notation.
    pub field: &'static str,
    /// Values (as JSON) that say nothing: what is refused or dropped is not, with these.
    pub neutral: &'static [&'static str],
    /// What becomes of it in the other two dialects, in the order of [`others`].
    pub fates: [Fate; 2],
}

impl Row {
    /// The members at the top of a body that it is about; none where it is about something else.
    pub fn members(&self) -> impl Iterator<Item = &'static str> {
        let plain = |letter: u8| letter.is_ascii_lowercase() || letter == b'_';
        let names = self.field.split(", ");
        let all = names.clone().all(|name| name.bytes().all(plain));
        names.filter(move |_| all)
    }

    fn is_about(&self, field: &str) -> bool {
        self.field == field || self.members().any(|name| name == field)
    }
}

/// The other two of the three dialects, in their fixed order.
pub const fn others(from: Dialect) -> [Dialect; 2] {
    match from {
        Dialect::OpenaiResponses => [Dialect::OpenaiChat, Dialect::AnthropicMessages],
        Dialect::AnthropicMessages => [Dialect::OpenaiChat, Dialect::OpenaiResponses],
        Dialect::OpenaiChat | Dialect::OpenaiEmbeddings => {
            [Dialect::OpenaiResponses, Dialect::AnthropicMessages]
        }
    }
}

/// The rows of a dialect's requests.
pub const fn request_rows(from: Dialect) -> &'static [Row] {
    match from {
        Dialect::OpenaiChat => requests::CHAT,
        Dialect::OpenaiResponses => requests::RESPONSES,
        Dialect::AnthropicMessages => requests::MESSAGES,
        Dialect::OpenaiEmbeddings => &[],
    }
}

/// The rows of words that certain vendors take in requests of whichever dialect. Both fates of each are one.
pub const fn vendor_rows() -> &'static [Row] {
    VENDORS
}

/// The rows of a dialect's answers, whole and streamed.
pub const fn answer_rows(from: Dialect) -> &'static [Row] {
    match from {
        Dialect::OpenaiChat => answers::CHAT,
        Dialect::OpenaiResponses => answers::RESPONSES,
        Dialect::AnthropicMessages => answers::MESSAGES,
        Dialect::OpenaiEmbeddings => &[],
    }
}

/// What becomes of a field of a request.
pub(crate) fn request_fate(
    from: Dialect,
    to: Dialect,
    field: &str,
) -> Option<(Fate, &'static Row)> {
    let mut rows = request_rows(from).iter().chain(VENDORS);
    let row = rows.find(|row| row.is_about(field))?;
    let index = others(from).iter().position(|other| *other == to)?;
    Some((row.fates[index], row))
}

/// The refusal of `field`, which the client wrote at `param`.
pub(crate) fn refusal(from: Dialect, to: Dialect, field: &str, param: String) -> ApiError {
    refusal_of_kind(from, to, field, "", param)
}

/// So many letters of a type that the client wrote are repeated.
const LONGEST_KIND: usize = 64;

/// The same of one that is of the type `kind`, if it says any.
pub(crate) fn refusal_of_kind(
    from: Dialect,
    to: Dialect,
    field: &str,
    kind: &str,
    param: String,
) -> ApiError {
    let (word, why) = match request_fate(from, to, field) {
        Some((Fate::Refused(why), _)) => (": ", why),
        // Only for certain values or certain vendors; the row says which.
        Some((Fate::Converted(how) | Fate::Dropped(how), _)) => (". What becomes of such: ", how),
        _ => (": ", "there is no way to say it"),
    };
    let kind = match kind.chars().take(LONGEST_KIND).collect::<String>() {
        none if none.is_empty() => none,
        kind => format!(" of type `{kind}`"),
    };
    let message = format!(
        "`{param}`{kind} cannot be sent to this model, which is served in the {} dialect{word}{why}.",
        title(to)
    );
    ApiError::new(ErrorKind::Unsupported, message).with_param(param)
}

/// A dialect's name for people.
const fn title(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat => "Chat Completions",
        Dialect::OpenaiResponses => "Responses",
        Dialect::OpenaiEmbeddings => "Embeddings",
        Dialect::AnthropicMessages => "Messages",
    }
}

/// The three dialects that are bridged.
const BRIDGED: [Dialect; 3] = [
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
    Dialect::AnthropicMessages,
];

/// `docs/bridge.md`.
pub fn markdown() -> String {
    let mut page = String::from(requests::PREFACE);
    for from in BRIDGED {
        table(&mut page, "Requests in", from, request_rows(from));
    }
    vendors_table(&mut page);
    page.push_str(answers::PREFACE);
    for from in BRIDGED {
        table(&mut page, "Answers in", from, answer_rows(from));
    }
    page
}

fn table(page: &mut String, what: &str, from: Dialect, rows: &[Row]) {
    let [first, second] = others(from);
    let _ = write!(
        page,
        "\n## {what} {}\n\n| field | to {} | to {} |\n|---|---|---|\n",
        title(from),
        title(first),
        title(second)
    );
    for row in rows {
        let _ = write!(page, "| `{}`", row.field);
        if !row.neutral.is_empty() {
            let _ = write!(page, " other than `{}`", row.neutral.join("`, `"));
        }
        for fate in row.fates {
            let _ = write!(page, " | {}", said(fate));
        }
        page.push_str(" |\n");
    }
}

fn vendors_table(page: &mut String) {
    page.push_str(requests::VENDORS_PREFACE);
    page.push_str("\n| field | what becomes of it |\n|---|---|\n");
    for Row { field, fates, .. } in VENDORS {
        let _ = writeln!(page, "| `{field}` | {} |", said(fates[0]));
    }
}

fn said(fate: Fate) -> String {
    match fate {
        Fate::Kept => "kept".to_owned(),
        Fate::Converted(how) => format!("converted: {how}"),
        Fate::Dropped(why) => format!("dropped: {why}"),
        Fate::Refused(why) => format!("**refused**: {why}"),
    }
}

#[cfg(test)]
mod tests;
