//! Looking at files that somebody else may be writing at this moment.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A file that was written to this recently is not read yet.
pub(crate) const SETTLE: Duration = Duration::from_millis(50);
/// How often to wait for a file to settle before it is read as it is.
const PATIENCE: u32 = 60;

/// What tells that a file has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    len: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self {
            len: meta.len(),
            inode: meta.ino(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// What is called `*.wasm` in a folder, without what is hidden: many tools write under a hidden name and rename. What is no
/// file is listed, too, for [`read_stable`] to say so: whoever put it there looks for it.
pub(crate) fn list(dir: &Path) -> std::io::Result<BTreeMap<String, Stamp>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with('.') || !name.ends_with(".wasm") || name.len() == ".wasm".len() {
            continue;
        }
        // A link is followed. A file that vanishes meanwhile is simply not there.
        let Ok(meta) = std::fs::metadata(entry.path()) else {
            continue;
        };
        found.insert(name, Stamp::of(&meta));
    }
    Ok(found)
}

/// Reads a file when nobody has written to it for as long as `settle`, together with the stamp that belongs to what was
/// read.
///
/// # Errors
/// A sentence: no file, too big, or not readable.
pub(crate) fn read_stable(
    path: &Path,
    max_bytes: usize,
    settle: Duration,
) -> Result<(Stamp, Vec<u8>), String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let mut patience = PATIENCE;
    loop {
        let meta = std::fs::metadata(path).map_err(unreadable)?;
        // To open a named pipe would wait for somebody who writes to it, and every other component with it.
        if !meta.is_file() {
            return Err("is no file".to_owned());
        }
        let before = Stamp::of(&meta);
        patience = patience.saturating_sub(1);
        if patience > 0 && is_young(&meta, settle) {
            std::thread::sleep(settle);
            continue;
        }
        if usize::try_from(meta.len()).map_or(true, |len| len > max_bytes) {
            return Err(format!(
                "is {} bytes long; the limit (max_component_bytes) is {max_bytes}",
                meta.len()
            ));
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let after = Stamp::of(&std::fs::metadata(path).map_err(unreadable)?);
        if before == after || patience == 0 {
            return Ok((after, bytes));
        }
    }
}

/// Written to less than `settle` ago. A time in the future says nothing, so such a file counts as settled.
fn is_young(meta: &Metadata, settle: Duration) -> bool {
    meta.modified()
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok())
        .is_some_and(|age| age < settle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_still_being_written_is_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slow.wasm");
        std::fs::write(&path, b"begin").unwrap();
        let writer = path.clone();
        // A hundred times the gaps between the writes, which a busy machine stretches.
        let settle = Duration::from_secs(2);
        let thread = std::thread::spawn(move || {
            for _ in 0..5 {
                std::thread::sleep(Duration::from_millis(20));
                let mut bytes = std::fs::read(&writer).unwrap();
                bytes.extend_from_slice(b" more");
                std::fs::write(&writer, bytes).unwrap();
            }
            // As if it had settled meanwhile: the reader's next look is its last.
            let file = std::fs::File::options().write(true).open(&writer).unwrap();
            file.set_modified(SystemTime::now() - settle).unwrap();
        });
        let (stamp, bytes) = read_stable(&path, 1000, settle).unwrap();
        thread.join().unwrap();
        assert_eq!(bytes, b"begin more more more more more");
        assert_eq!(list(dir.path()).unwrap().get("slow.wasm"), Some(&stamp));
    }

    #[test]
    fn only_what_is_visible_and_called_wasm_is_listed_and_big_files_are_not_read() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.wasm", ".b.wasm", "c.wasm.tmp", ".wasm", "readme"] {
            std::fs::write(dir.path().join(name), b"12345").unwrap();
        }
        let names: Vec<_> = list(dir.path()).unwrap().into_keys().collect();
        assert_eq!(names, ["a.wasm"]);
        assert!(
            read_stable(&dir.path().join("a.wasm"), 4, SETTLE)
                .unwrap_err()
                .contains("max_component_bytes")
        );
    }
}
