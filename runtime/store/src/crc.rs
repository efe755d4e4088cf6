//! CRC-32 (IEEE), with what was summed before as its seed.

/// The checksum of `bytes`, begun with `seed`: the same bytes under another seed have another sum.
pub(crate) fn crc32(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_crc_that_everyone_knows() {
        assert_eq!(crc32(0, b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(0, b""), 0);
        let text = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(crc32(0, text), 0x414f_a339);
        // In two parts, as the seed carries on.
        assert_eq!(crc32(crc32(0, &text[..17]), &text[17..]), 0x414f_a339);
    }
}
