//! The form of every input: four bytes that choose, then the payload.

/// How many bytes choose.
pub(crate) const HEAD: usize = 4;

/// An input, taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    head: [u8; HEAD],
    pub(crate) payload: &'a [u8],
}

impl<'a> Input<'a> {
    /// None where it is shorter than its head.
    pub(crate) fn of(data: &'a [u8]) -> Option<Self> {
        let (head, payload) = data.split_first_chunk()?;
        Some(Self {
            head: *head,
            payload,
        })
    }

    /// One of these, by the byte at `at`.
    pub(crate) fn pick<T: Copy>(&self, at: usize, of: &[T]) -> T {
        of[usize::from(self.head[at]) % of.len()]
    }

    pub(crate) fn byte(&self, at: usize) -> u8 {
        self.head[at]
    }

    pub(crate) fn bit(&self, at: usize, bit: u8) -> bool {
        self.head[at] >> bit & 1 == 1
    }

    /// The payload in the pieces that the last byte of the head says: 0 is byte by byte, else of at most so many bytes.
    pub(crate) fn pieces(&self) -> Vec<&'a [u8]> {
        let most = self.head[HEAD - 1];
        let mut pieces = Vec::new();
        let mut rest = self.payload;
        let mut random = u32::from(most) | 1;
        while !rest.is_empty() {
            let size = match most {
                0 => 1,
                _ => next(&mut random) as usize % usize::from(most) + 1,
            };
            let (piece, after) = rest.split_at(size.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}

/// The next number of a xorshift generator, whose state must not be 0.
pub(crate) fn next(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}
