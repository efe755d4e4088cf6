//! The whole state as bytes, so that a start replays the entries since, and not those of years.

use std::collections::HashMap;

use ring::digest;
use uuid::Uuid;

use super::books::{Lot, Totals};
use super::entry::{put_optional, put_signed, read_account, read_optional, read_signed, read_uuid};
use super::error::LedgerError;
use super::idempotency::{Done, Keys, Settled};
use super::lots::Lots;
use super::operation::Receipt;
use super::{Closed, Ledger, Open, Wallet};
use crate::codec::{Reader, put_number};

/// The version this crate writes.
const VERSION: u8 = 1;
const DIGEST: usize = 32;

impl Ledger {
    /// Appends the state's bytes to `out`: to be stored under [`Ledger::sequence`]. Entries up to there are not needed
    /// any more to rebuild the state (they stay, as the books).
    pub fn checkpoint(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.push(VERSION);
        put_number(out, self.last);
        for total in totals(&self.totals) {
            out.extend_from_slice(&total.to_le_bytes());
        }
        put_number(out, self.wallets.len() as u64);
        for (account, wallet) in &self.wallets {
            out.extend_from_slice(account.as_bytes());
            put_lots(out, &wallet.lots);
            out.push(u8::from(wallet.closed.is_some()));
            if let Some(closed) = &wallet.closed {
                put_optional(out, closed.to.as_ref());
                put_receipt(out, &closed.receipt);
            }
        }
        put_number(out, self.open.len() as u64);
        for (request, open) in &self.open {
            out.extend_from_slice(request.as_bytes());
            out.extend_from_slice(open.wallet.as_bytes());
            put_signed(out, open.asked);
            put_number(out, open.at_ms);
            put_number(out, open.sequence);
            put_lots(out, &open.lots);
        }
        put_number(out, self.settled.forgotten_ms);
        for generation in [&self.settled.new, &self.settled.old] {
            put_number(out, generation.len() as u64);
            for (request, done) in generation {
                out.extend_from_slice(request.as_bytes());
                put_done(out, done);
            }
        }
        put_number(out, self.keys.0.len() as u64);
        for (key, (content, receipt)) in &self.keys.0 {
            out.extend_from_slice(key);
            out.extend_from_slice(content);
            put_receipt(out, receipt);
        }
        // One flipped bit here would be a wrong balance for ever.
        let digest = digest::digest(&digest::SHA256, &out[start..]);
        out.extend_from_slice(digest.as_ref());
    }

    /// The state that [`Ledger::checkpoint`] wrote. Apply the entries after it.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`], [`LedgerError::Newer`], or what [`Ledger::verify`] says.
    pub fn from_checkpoint(bytes: &[u8]) -> Result<Self, LedgerError> {
        if let Some(newer) = bytes.first().filter(|version| **version > VERSION) {
            return Err(LedgerError::Newer(*newer));
        }
        let (state, written) = bytes
            .split_last_chunk::<DIGEST>()
            .ok_or(LedgerError::Damaged)?;
        if digest::digest(&digest::SHA256, state).as_ref() != written {
            return Err(LedgerError::Damaged);
        }
        let ledger = read(&mut Reader::new(state)).ok_or(LedgerError::Damaged)?;
        ledger.verify()?;
        Ok(ledger)
    }
}

fn read(reader: &mut Reader<'_>) -> Option<Ledger> {
    if reader.byte()? != VERSION {
        return None;
    }
    let last = reader.number()?;
    let mut read_total = || reader.array().map(i128::from_le_bytes);
    let totals = Totals {
        treasury: read_total()?,
        wallets: read_total()?,
        held: read_total()?,
        consumed: read_total()?,
        expired: read_total()?,
        fees: read_total()?,
        uncovered: read_total()?,
    };
    let mut wallets = HashMap::new();
    for _ in 0..reader.count(18)? {
        let account = read_account(reader)?;
        let mut wallet = Wallet {
            lots: read_lots(reader)?,
            ..Wallet::default()
        };
        if reader.byte()? != 0 {
            wallet.closed = Some(Closed {
                to: read_optional(reader)?,
                receipt: read_receipt(reader)?,
            });
        }
        wallets.insert(account, wallet);
    }
    let mut open = HashMap::new();
    for _ in 0..reader.count(36)? {
        let request = read_uuid(reader)?;
        let hold = Open {
            wallet: read_account(reader)?,
            asked: read_signed(reader)?,
            at_ms: reader.number()?,
            sequence: reader.number()?,
            lots: read_lots(reader)?,
        };
        let wallet: &mut Wallet = wallets.get_mut(&hold.wallet)?;
        wallet.holds += 1;
        wallet.held = wallet.held.checked_add(hold.lots.total())?;
        open.insert(request, hold);
    }
    let settled = Settled {
        forgotten_ms: reader.number()?,
        new: read_generation(reader)?,
        old: read_generation(reader)?,
    };
    let mut keys = Keys::default();
    for _ in 0..reader.count(35)? {
        let (key, content) = (reader.array()?, reader.array()?);
        keys.0.insert(key, (content, read_receipt(reader)?));
    }
    Some(Ledger {
        last,
        wallets,
        open,
        settled,
        keys,
        totals,
    })
}

fn totals(totals: &Totals) -> [i128; 7] {
    [
        totals.treasury,
        totals.wallets,
        totals.held,
        totals.consumed,
        totals.expired,
        totals.fees,
        totals.uncovered,
    ]
}

fn put_lots(out: &mut Vec<u8>, lots: &Lots) {
    put_number(out, lots.len() as u64);
    for (lot, amount) in lots.spending_order() {
        put_number(out, lot.id);
        put_number(out, lot.expires_ms);
        put_signed(out, amount);
    }
}

fn read_lots(reader: &mut Reader<'_>) -> Option<Lots> {
    let mut lots = Lots::default();
    let mut total = 0i64;
    for _ in 0..reader.count(3)? {
        let lot = Lot {
            id: reader.number()?,
            expires_ms: reader.number()?,
        };
        let amount = read_signed(reader)?;
        total = total.checked_add(amount)?;
        if !lots.add(lot, amount) {
            return None;
        }
    }
    Some(lots)
}

fn read_generation(reader: &mut Reader<'_>) -> Option<HashMap<Uuid, Done>> {
    (0..reader.count(37)?)
        .map(|_| Some((read_uuid(reader)?, read_done(reader)?)))
        .collect()
}

const WITH_HOLD: u8 = 1;
const CHARGED: u8 = 2;

fn put_done(out: &mut Vec<u8>, done: &Done) {
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    out.push(flag(done.hold.is_some(), WITH_HOLD) | flag(done.charged.is_some(), CHARGED));
    out.extend_from_slice(done.wallet.as_bytes());
    if let Some(receipt) = &done.hold {
        put_receipt(out, receipt);
    }
    if let Some((amount, fee)) = done.charged {
        put_signed(out, amount);
        put_signed(out, fee);
    }
    put_receipt(out, &done.receipt);
}

fn read_done(reader: &mut Reader<'_>) -> Option<Done> {
    let flags = reader.byte()?;
    Some(Done {
        wallet: read_account(reader)?,
        hold: match flags & WITH_HOLD {
            0 => None,
            _ => Some(read_receipt(reader)?),
        },
        charged: match flags & CHARGED {
            0 => None,
            _ => Some((read_signed(reader)?, read_signed(reader)?)),
        },
        receipt: read_receipt(reader)?,
    })
}

fn put_receipt(out: &mut Vec<u8>, receipt: &Receipt) {
    put_number(out, receipt.sequence);
    put_signed(out, receipt.amount);
    put_signed(out, receipt.uncovered);
}

fn read_receipt(reader: &mut Reader<'_>) -> Option<Receipt> {
    Some(Receipt {
        sequence: reader.number()?,
        amount: read_signed(reader)?,
        uncovered: read_signed(reader)?,
    })
}
