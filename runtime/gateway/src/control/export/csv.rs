//! Lines of CSV (RFC 4180) that no spreadsheet takes for formulas.

/// Writes a line. A cell that a spreadsheet would calculate is made text by an apostrophe before it: names and tags come
/// from people, and models from whoever has a key.
pub(super) fn line<T: AsRef<str>>(out: &mut Vec<u8>, cells: impl IntoIterator<Item = T>) {
    for (place, cell) in cells.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let cell = cell.as_ref();
        let guard = match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            true => "'",
            false => "",
        };
        if cell.contains(['"', ',', '\r', '\n']) {
            out.push(b'"');
            out.extend_from_slice(guard.as_bytes());
            out.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(guard.as_bytes());
            out.extend_from_slice(cell.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}
