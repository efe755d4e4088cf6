//! One record of the journal: a head of 48 bytes, the row, what the ledger gets with it, padding to 8 bytes.
//!
//! ```text
//! 0 checksum u32 | 4 row length u32 | 8 segment u32 | 12 ledger length u32 | 16 number u64, kind in the top byte
//! 24 admitted u64 (Unix ms) | 32 request id [16] | 48 row, ledger bytes, zeros
//! ```
//! The checksum is seeded with the segment's number, and the number stands in the head: what an earlier life of the
//! same file left behind is never taken for a record.

use uuid::Uuid;

use crate::crc::crc32;

pub(crate) const HEAD: usize = 48;
const NUMBER: u64 = (1 << 56) - 1;

/// What a record stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The row as it would be if the process were killed now. A later record of the request replaces it.
    Hold = 1,
    /// The row as it is.
    Final = 2,
}

/// A record read back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: Kind,
    /// Grows with every record of one writer: the later of two records of a request is the one that counts.
    pub(crate) number: u64,
    pub(crate) request: Uuid,
    pub(crate) admitted_ms: u64,
    pub(crate) row: &'a [u8],
    pub(crate) ledger: &'a [u8],
    /// With its head and padding.
    pub(crate) length: usize,
}

/// Appends a record to `out`; it has no checksum before [`seal`]. Returns its length.
pub(crate) fn put(
    out: &mut Vec<u8>,
    kind: Kind,
    number: u64,
    request: Uuid,
    admitted_ms: u64,
    ledger: &[u8],
    row: impl FnOnce(&mut Vec<u8>),
) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(&((number & NUMBER) | ((kind as u64) << 56)).to_le_bytes());
    out.extend_from_slice(&admitted_ms.to_le_bytes());
    out.extend_from_slice(request.as_bytes());
    row(out);
    let row_length = (out.len() - start - HEAD) as u32;
    out.extend_from_slice(ledger);
    let padded = (out.len() - start).next_multiple_of(8);
    out.resize(start + padded, 0);
    out[start + 4..start + 8].copy_from_slice(&row_length.to_le_bytes());
    out[start + 12..start + 16].copy_from_slice(&(ledger.len() as u32).to_le_bytes());
    padded
}

/// Makes the record at the beginning of `frame` one of `segment`. Returns its length.
pub(crate) fn seal(frame: &mut [u8], segment: u64) -> usize {
    let tag = segment as u32;
    frame[8..12].copy_from_slice(&tag.to_le_bytes());
    let length = length(frame).unwrap_or(frame.len()).min(frame.len());
    let sum = crc32(seed(segment), &frame[4..length]);
    frame[..4].copy_from_slice(&sum.to_le_bytes());
    length
}

/// The record at the beginning of `bytes`, if a whole one of `segment` is there.
pub(crate) fn read(bytes: &[u8], segment: u64) -> Option<Frame<'_>> {
    // First what is cheap: zeros and leavings of earlier segments fail here.
    if number32(bytes, 8)? != segment as u32 {
        return None;
    }
    let length = length(bytes)?;
    let frame = bytes.get(..length)?;
    if number32(frame, 0)? != crc32(seed(segment), &frame[4..]) {
        return None;
    }
    let number = number64(frame, 16)?;
    let kind = match number >> 56 {
        1 => Kind::Hold,
        2 => Kind::Final,
        _ => return None,
    };
    let row_length = number32(frame, 4)? as usize;
    let ledger_length = number32(frame, 12)? as usize;
    let (row, rest) = frame[HEAD..].split_at_checked(row_length)?;
    Some(Frame {
        kind,
        number: number & NUMBER,
        request: Uuid::from_bytes(*frame[32..].first_chunk()?),
        admitted_ms: number64(frame, 24)?,
        row,
        ledger: rest.get(..ledger_length)?,
        length,
    })
}

/// The length that the record at the beginning of `bytes` says it has.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    let inner = (number32(bytes, 4)? as usize).checked_add(number32(bytes, 12)? as usize)?;
    inner.checked_add(HEAD)?.checked_next_multiple_of(8)
}

fn seed(segment: u64) -> u32 {
    segment as u32 ^ 0x7011_6a7e
}

fn number32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

fn number64(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(segment: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let row = |out: &mut Vec<u8>| out.extend_from_slice(b"a row");
        let length = put(
            &mut bytes,
            Kind::Hold,
            77,
            Uuid::from_u128(5),
            9,
            b"posting",
            row,
        );
        assert_eq!(length, bytes.len());
        assert_eq!(seal(&mut bytes, segment), length);
        bytes
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let bytes = sample(3);
        let frame = read(&bytes, 3).unwrap();
        assert_eq!((frame.kind, frame.number), (Kind::Hold, 77));
        assert_eq!((frame.request, frame.admitted_ms), (Uuid::from_u128(5), 9));
        assert_eq!((frame.row, frame.ledger), (&b"a row"[..], &b"posting"[..]));
        assert_eq!(frame.length, bytes.len());
    }

    #[test]
    fn a_record_of_another_segment_a_cut_one_and_a_flipped_bit_are_none() {
        let bytes = sample(3);
        assert!(read(&bytes, 4).is_none());
        // The same low half of the number in an earlier life of the file is 2^32 segments away.
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut], 3).is_none(), "{cut}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bad, 3).is_none(), "{bit}");
        }
    }
}
