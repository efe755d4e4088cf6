//! Usage rows on their way to the store: one growing buffer, no allocation for a row.

use tollgate_governance::UsageRow;

/// Encoded rows one after the other: time of admission (8 bytes), length (4 bytes), bytes.
#[derive(Clone, Debug, Default)]
pub struct UsageBatch {
    bytes: Vec<u8>,
    rows: usize,
}

const HEAD: usize = 12;

impl UsageBatch {
    /// Appends a row.
    pub fn push(&mut self, row: &UsageRow<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&row.admitted_ms.to_le_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        row.encode(&mut self.bytes);
        let length = (self.bytes.len() - start - HEAD) as u32;
        self.bytes[start + 8..start + HEAD].copy_from_slice(&length.to_le_bytes());
        self.rows += 1;
    }

    /// Times of admission and bytes of the rows, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (admitted, after) = rest.split_first_chunk::<8>()?;
            let (length, after) = after.split_first_chunk::<4>()?;
            let (row, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = after;
            Some((u64::from_le_bytes(*admitted), row))
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
