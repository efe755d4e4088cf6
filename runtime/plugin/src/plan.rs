//! Checks on what a provider says to send: a plan that passes can be carried out without a further question.

/// Whether `pointer` is a JSON Pointer (RFC 6901).
pub(crate) fn check_pointer(pointer: &str) -> Result<(), String> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err(format!("`{pointer}` is not a JSON Pointer: it must be empty or start with `/`"));
    }
    let bytes = pointer.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'~' && !matches!(bytes.get(at + 1), Some(b'0' | b'1')) {
            return Err(format!("`{pointer}` is not a JSON Pointer: `~` must be followed by 0 or 1"));
        }
    }
    Ok(())
}
