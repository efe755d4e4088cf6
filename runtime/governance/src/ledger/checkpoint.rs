//! The books as bytes, so that a start replays the entries since, and not those of years.

use super::books::{Lot, Totals};
use super::entry::{put_optional, put_signed, read_account, read_optional, read_signed, read_uuid};
use super::error::LedgerError;
use super::generation::Generation;
use super::idempotency::{Charged, Done, Keys, Settled};
use super::lots::Lots;
use super::operation::Receipt;
use super::wallets::Wallets;
use super::{Closed, Ledger, Wallet};
use crate::codec::{Reader, put_number};
use ring::digest;

/// The version this crate writes.
const VERSION: u8 = 2;
const DIGEST: usize = 32;

impl Ledger {
    /// Appends the books' bytes to `out`: what the entries up to number `last` of the store say. Those are not needed
    /// any more to rebuild the books (they stay, as the record of them).
    ///
    /// # Errors
    /// [`LedgerError::HoldsOpen`] for a ledger that serves requests: only one that did nothing but replay is what a
    /// store says. [`LedgerError::UnderWay`].
    pub fn checkpoint(&self, last: u64, out: &mut Vec<u8>) -> Result<(), LedgerError> {
        if !self.open.is_empty() {
            return Err(LedgerError::HoldsOpen(self.open.len() as u64));
        }
        if self.wallets.iter().any(|(_, wallet)| wallet.moving > 0) {
            return Err(LedgerError::UnderWay("a checkpoint".to_owned()));
        }
        let start = out.len();
        out.push(VERSION);
        put_number(out, last);
        put_number(out, self.last_lot);
        for total in totals(&self.totals) {
            out.extend_from_slice(&total.to_le_bytes());
        }
        put_number(out, self.wallets.len() as u64);
        for (account, wallet) in self.wallets.iter() {
            out.extend_from_slice(account.as_bytes());
            put_lots(out, &wallet.lots);
            out.push(u8::from(wallet.closed.is_some()));
            if let Some(closed) = &wallet.closed {
                put_optional(out, closed.to.as_ref());
                put_receipt(out, &closed.receipt);
            }
        }
        put_number(out, self.settled.forgotten_ms);
        for generation in [&self.settled.new, &self.settled.old] {
            let charged = |(request, done): (_, &Done)| Some((request, done.wallet, done.charged?));
            let count = generation.iter().filter_map(charged).count();
            put_number(out, count as u64);
            for (request, wallet, charged) in generation.iter().filter_map(charged) {
                out.extend_from_slice(request.as_bytes());
                out.extend_from_slice(wallet.as_bytes());
                put_signed(out, charged.amount);
                put_signed(out, charged.fee);
                put_signed(out, charged.uncovered);
            }
        }
        put_number(out, self.keys.done.len() as u64);
        for (key, (content, receipt)) in &self.keys.done {
            out.extend_from_slice(key);
            out.extend_from_slice(content);
            put_receipt(out, receipt);
        }
        // One flipped bit here would be a wrong balance for ever.
        let digest = digest::digest(&digest::SHA256, &out[start..]);
        out.extend_from_slice(digest.as_ref());
        Ok(())
    }

    /// The books that [`Ledger::checkpoint`] wrote, and the number it was given. Replay the entries after that one.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`], [`LedgerError::Newer`], or what [`Ledger::verify`] says.
    pub fn from_checkpoint(bytes: &[u8]) -> Result<(Self, u64), LedgerError> {
        if let Some(newer) = bytes.first().filter(|version| **version > VERSION) {
            return Err(LedgerError::Newer(*newer));
        }
        let (state, written) = bytes
            .split_last_chunk::<DIGEST>()
            .ok_or(LedgerError::Damaged)?;
        if digest::digest(&digest::SHA256, state).as_ref() != written {
            return Err(LedgerError::Damaged);
        }
        let (ledger, last) = read(&mut Reader::new(state)).ok_or(LedgerError::Damaged)?;
        ledger.verify()?;
        Ok((ledger, last))
    }
}

fn read(reader: &mut Reader<'_>) -> Option<(Ledger, u64)> {
    if reader.byte()? != VERSION {
        return None;
    }
    let (last, last_lot) = (reader.number()?, reader.number()?);
    let mut read_total = || reader.array().map(i128::from_le_bytes);
    let totals = Totals {
        treasury: read_total()?,
        wallets: read_total()?,
        consumed: read_total()?,
        expired: read_total()?,
        fees: read_total()?,
        uncovered: read_total()?,
        ..Totals::default()
    };
    let count = reader.count(18)?;
    let mut wallets = Wallets::with_capacity(count);
    for _ in 0..count {
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
        wallets.of(account, |place| *place = wallet);
    }
    let settled = Settled {
        forgotten_ms: reader.number()?,
        new: read_generation(reader)?,
        old: read_generation(reader)?,
    };
    let mut keys = Keys::default();
    let count = reader.count(34)?;
    keys.done.reserve(count);
    for _ in 0..count {
        let (key, content) = (reader.array()?, reader.array()?);
        keys.done.insert(key, (content, read_receipt(reader)?));
    }
    let ledger = Ledger {
        wallets,
        settled,
        keys,
        totals,
        last_lot,
        ..Ledger::default()
    };
    Some((ledger, last))
}

fn totals(totals: &Totals) -> [i128; 6] {
    [
        totals.treasury,
        totals.wallets,
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
    for _ in 0..reader.count(3)? {
        let lot = Lot {
            id: reader.number()?,
            expires_ms: reader.number()?,
        };
        let amount = read_signed(reader)?;
        if !lots.add(lot, amount) {
            return None;
        }
    }
    Some(lots)
}

fn read_generation(reader: &mut Reader<'_>) -> Option<Generation> {
    let (mut generation, before) = (Generation::default(), Generation::default());
    for _ in 0..reader.count(35)? {
        let (request, wallet) = (read_uuid(reader)?, read_account(reader)?);
        let charged = Charged {
            amount: read_signed(reader)?,
            fee: read_signed(reader)?,
            uncovered: read_signed(reader)?,
        };
        let charged = Some(charged);
        generation.insert(request, Done { wallet, charged }, &before);
    }
    Some(generation)
}

fn put_receipt(out: &mut Vec<u8>, receipt: &Receipt) {
    put_signed(out, receipt.amount);
    put_signed(out, receipt.uncovered);
}

fn read_receipt(reader: &mut Reader<'_>) -> Option<Receipt> {
    Some(Receipt {
        amount: read_signed(reader)?,
        uncovered: read_signed(reader)?,
    })
}
