//! Entries and their bytes.
//!
//! A code of its own, like the usage row's, and not JSON: one entry is written for every call and kept for good; this
//! takes about 80 bytes and no allocation, the same as JSON some 400. Members may be appended within a version: readers
//! ignore what they do not know.

use uuid::Uuid;

use super::books::{Book, Lot, Posting};
use super::error::LedgerError;
use super::idempotency::LONGEST_KEY;
use super::operation::{Operation, Post, Source};
use crate::codec::{Reader, put_number, put_text};
use crate::ids::AccountId;

/// The version of most entries. No release wrote version 1, whose entries had numbers and holds.
const VERSION: u8 = 2;
/// The version of those whose idempotency key has a scope, which stands before the cause. A Tollgate that knows no scopes
/// would take two keys for one: it refuses these.
const SCOPED_VERSION: u8 = 3;

/// What was done, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it was done, Unix milliseconds. The store's numbers order entries, not the clock.
    pub at_ms: u64,
    /// What was asked for.
    pub cause: Cause,
    /// What moved. They sum to zero.
    pub postings: Vec<Posting>,
}

/// What an entry carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A settled call.
    Post(Post),
    /// Management.
    Operation(Operation),
}

impl Entry {
    /// Appends the entry's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(128);
        let scope = match &self.cause {
            Cause::Operation(Operation::Grant { key, .. } | Operation::Reclaim { key, .. }) => {
                key.scope
            }
            Cause::Operation(_) | Cause::Post(_) => None,
        };
        out.push(scope.map_or(VERSION, |_| SCOPED_VERSION));
        put_number(out, self.at_ms);
        if let Some(scope) = scope {
            out.extend_from_slice(scope.as_bytes());
        }
        match &self.cause {
            Cause::Post(post) => post.encode(out),
            Cause::Operation(operation) => operation.encode(out),
        }
        put_number(out, self.postings.len() as u64);
        let mut last = None;
        for posting in &self.postings {
            encode_posting(posting, &mut last, out);
        }
    }

    /// Reads what [`Entry::encode`] wrote.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`], [`LedgerError::Newer`].
    pub fn decode(bytes: &[u8]) -> Result<Self, LedgerError> {
        let mut reader = Reader::new(bytes);
        match reader.byte() {
            Some(version @ (VERSION | SCOPED_VERSION)) => {
                Self::read(version, &mut reader).ok_or(LedgerError::Damaged)
            }
            Some(newer) if newer > SCOPED_VERSION => Err(LedgerError::Newer(newer)),
            _ => Err(LedgerError::Damaged),
        }
    }

    fn read(version: u8, reader: &mut Reader<'_>) -> Option<Self> {
        let at_ms = reader.number()?;
        let scope = match version {
            SCOPED_VERSION => Some(read_account(reader)?),
            _ => None,
        };
        let mut cause = match reader.byte()? {
            POST => Cause::Post(Post::read(reader)?),
            kind => Cause::Operation(Operation::read(kind, reader)?),
        };
        if let Cause::Operation(Operation::Grant { key, .. } | Operation::Reclaim { key, .. }) =
            &mut cause
        {
            key.scope = scope;
        }
        let mut last = None;
        // A tag and an amount at least.
        let postings = (0..reader.count(2)?)
            .map(|_| read_posting(reader, &mut last))
            .collect::<Option<_>>()?;
        Some(Self {
            at_ms,
            cause,
            postings,
        })
    }
}

const GRANT: u8 = 1;
const RECLAIM: u8 = 2;
const POST: u8 = 3;
const EXPIRE: u8 = 4;
const SWEEP: u8 = 5;

impl Post {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(POST);
        out.extend_from_slice(self.request.as_bytes());
        out.extend_from_slice(self.wallet.as_bytes());
        put_signed(out, self.amount);
        put_signed(out, self.fee);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            request: read_uuid(reader)?,
            wallet: read_account(reader)?,
            amount: read_signed(reader)?,
            fee: read_signed(reader)?,
        })
    }
}

impl Operation {
    /// What must be the same when an idempotency key comes again: what was asked, whoever asked. That the credit goes between an account
    /// and the one above it is asked; which one that is was found, and is another after the account has moved.
    pub(super) fn content(&self) -> Vec<u8> {
        let above = AccountId::default();
        let mut asked = self.clone();
        match &mut asked {
            Self::Grant {
                from: Source::Wallet(wallet),
                ..
            }
            | Self::Reclaim {
                to: Some(wallet), ..
            } => *wallet = above,
            Self::Grant { .. }
            | Self::Reclaim { .. }
            | Self::Expire { .. }
            | Self::Sweep { .. } => {}
        }
        asked.found_content()
    }

    /// The same with the wallet that was found, as checkpoints of before have it.
    pub(super) fn found_content(&self) -> Vec<u8> {
        let mut content = Vec::with_capacity(128);
        self.encode(&mut content);
        content
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Grant {
                key,
                from,
                to,
                amount,
            } => {
                out.push(GRANT);
                put_text(out, &key.text, LONGEST_KEY);
                match from {
                    Source::Wallet(parent) => put_optional(out, Some(parent)),
                    Source::Treasury { expires_ms } => {
                        put_optional(out, None);
                        put_number(out, expires_ms.unwrap_or(u64::MAX));
                    }
                }
                out.extend_from_slice(to.as_bytes());
                put_signed(out, *amount);
            }
            Self::Reclaim {
                key,
                from,
                to,
                amount,
            } => {
                out.push(RECLAIM);
                put_text(out, &key.text, LONGEST_KEY);
                out.extend_from_slice(from.as_bytes());
                put_optional(out, to.as_ref());
                put_signed(out, *amount);
            }
            Self::Expire { wallet } => {
                out.push(EXPIRE);
                out.extend_from_slice(wallet.as_bytes());
            }
            Self::Sweep { wallet, to } => {
                out.push(SWEEP);
                out.extend_from_slice(wallet.as_bytes());
                put_optional(out, to.as_ref());
            }
        }
    }

    fn read(kind: u8, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match kind {
            GRANT => Self::Grant {
                key: reader.text()?.into_owned().into(),
                from: match read_optional(reader)? {
                    Some(parent) => Source::Wallet(parent),
                    None => Source::Treasury {
                        expires_ms: Some(reader.number()?).filter(|at| *at != u64::MAX),
                    },
                },
                to: read_account(reader)?,
                amount: read_signed(reader)?,
            },
            RECLAIM => Self::Reclaim {
                key: reader.text()?.into_owned().into(),
                from: read_account(reader)?,
                to: read_optional(reader)?,
                amount: read_signed(reader)?,
            },
            EXPIRE => Self::Expire {
                wallet: read_account(reader)?,
            },
            SWEEP => Self::Sweep {
                wallet: read_account(reader)?,
                to: read_optional(reader)?,
            },
            _ => return None,
        })
    }
}

const TREASURY: u8 = 0;
const CONSUMED: u8 = 1;
const EXPIRED: u8 = 2;
const FEES: u8 = 3;
const WALLET: u8 = 4;
/// Added to a tag: the account is that of the posting before, as it is for most.
const SAME: u8 = 0x40;
/// Added to a tag: a lot that never expires, the usual one.
const NEVER: u8 = 0x80;

fn encode_posting(posting: &Posting, last: &mut Option<AccountId>, out: &mut Vec<u8>) {
    let (tag, account) = match posting.book {
        Book::Treasury => (TREASURY, None),
        Book::Consumed => (CONSUMED, None),
        Book::Expired => (EXPIRED, None),
        Book::Fees => (FEES, None),
        Book::Wallet(account) => (WALLET, Some(account)),
    };
    let same = account.is_some() && account == *last;
    let lot = posting.lot.unwrap_or(Lot {
        expires_ms: 0,
        id: 0,
    });
    let never = lot.expires_ms == u64::MAX;
    out.push(tag | if same { SAME } else { 0 } | if never { NEVER } else { 0 });
    if let Some(account) = account {
        if !same {
            out.extend_from_slice(account.as_bytes());
        }
        *last = Some(account);
        put_number(out, lot.id);
        if !never {
            put_number(out, lot.expires_ms);
        }
    }
    put_signed(out, posting.amount);
}

fn read_posting(reader: &mut Reader<'_>, last: &mut Option<AccountId>) -> Option<Posting> {
    let tag = reader.byte()?;
    let (book, lot) = match tag & !(SAME | NEVER) {
        TREASURY => (Book::Treasury, None),
        CONSUMED => (Book::Consumed, None),
        EXPIRED => (Book::Expired, None),
        FEES => (Book::Fees, None),
        WALLET => {
            if tag & SAME == 0 {
                *last = Some(read_account(reader)?);
            }
            let account = (*last)?;
            let id = reader.number()?;
            let expires_ms = if tag & NEVER == 0 {
                reader.number()?
            } else {
                u64::MAX
            };
            (Book::Wallet(account), Some(Lot { expires_ms, id }))
        }
        _ => return None,
    };
    Some(Posting {
        book,
        lot,
        amount: read_signed(reader)?,
    })
}

/// Small numbers of either sign take few bytes: 0, -1, 1, -2, … become 0, 1, 2, 3, …
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_number(out, ((value << 1) ^ (value >> 63)) as u64);
}

pub(super) fn read_signed(reader: &mut Reader<'_>) -> Option<i64> {
    let value = reader.number()?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

pub(super) fn put_optional(out: &mut Vec<u8>, account: Option<&AccountId>) {
    out.push(u8::from(account.is_some()));
    if let Some(account) = account {
        out.extend_from_slice(account.as_bytes());
    }
}

pub(super) fn read_optional(reader: &mut Reader<'_>) -> Option<Option<AccountId>> {
    match reader.byte()? {
        0 => Some(None),
        1 => read_account(reader).map(Some),
        _ => None,
    }
}

pub(super) fn read_uuid(reader: &mut Reader<'_>) -> Option<Uuid> {
    reader.array().map(Uuid::from_bytes)
}

pub(super) fn read_account(reader: &mut Reader<'_>) -> Option<AccountId> {
    read_uuid(reader).map(AccountId)
}
