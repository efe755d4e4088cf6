//! Usage rows on their way to the store: one growing buffer, no allocation for a row.

use tollgate_governance::UsageRow;

/// Encoded rows one after the other: time of admission (8 bytes), length of the row and of its ledger record (4 bytes
/// each), both.
#[derive(Clone, Debug, Default)]
pub struct UsageBatch {
    bytes: Vec<u8>,
    rows: usize,
}

const HEAD: usize = 16;

impl UsageBatch {
    /// Appends a row.
    pub fn push(&mut self, row: &UsageRow<'_>) {
        self.push_with(row, &[]);
    }

    /// Appends a row, and what the ledger gets in the same commit: one record, none if `ledger` is empty.
    pub fn push_with(&mut self, row: &UsageRow<'_>, ledger: &[u8]) {
        let start = self.head(row.admitted_ms, 0, ledger.len());
        row.encode(&mut self.bytes);
        let length = (self.bytes.len() - start - HEAD) as u32;
        self.bytes[start + 8..start + 12].copy_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(ledger);
    }

    /// Appends a row that is encoded already.
    pub(crate) fn push_bytes(&mut self, admitted_ms: u64, row: &[u8], ledger: &[u8]) {
        self.head(admitted_ms, row.len(), ledger.len());
        self.bytes.extend_from_slice(row);
        self.bytes.extend_from_slice(ledger);
    }

    fn head(&mut self, admitted_ms: u64, row: usize, ledger: usize) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&admitted_ms.to_le_bytes());
        self.bytes.extend_from_slice(&(row as u32).to_le_bytes());
        self.bytes.extend_from_slice(&(ledger as u32).to_le_bytes());
        self.rows += 1;
        start
    }

    /// Moves the rows of another batch to the end of this one.
    pub(crate) fn take(&mut self, other: &mut Self) {
        if self.rows == 0 {
            std::mem::swap(self, other);
        } else {
            self.bytes.extend_from_slice(&other.bytes);
            self.rows += other.rows;
        }
        other.clear();
    }

    /// Times of admission and bytes of the rows, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.parts().map(|(admitted, row, _)| (admitted, row))
    }

    /// The ledger records that come with the rows, in their order.
    pub fn ledger(&self) -> impl Iterator<Item = &[u8]> {
        self.parts()
            .map(|(_, _, ledger)| ledger)
            .filter(|ledger| !ledger.is_empty())
    }

    fn parts(&self) -> impl Iterator<Item = (u64, &[u8], &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (admitted, after) = rest.split_first_chunk::<8>()?;
            let (row, after) = after.split_first_chunk::<4>()?;
            let (ledger, after) = after.split_first_chunk::<4>()?;
            let (row, after) = after.split_at_checked(u32::from_le_bytes(*row) as usize)?;
            let (ledger, after) = after.split_at_checked(u32::from_le_bytes(*ledger) as usize)?;
            rest = after;
            Some((u64::from_le_bytes(*admitted), row, ledger))
        })
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Memory in use for rows, bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets the rows, keeps the memory (but not that of a rare flood).
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(1 << 20);
        self.rows = 0;
    }
}
