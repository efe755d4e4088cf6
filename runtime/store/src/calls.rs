//! The calls to the file system whose order decides what a power failure leaves. Tests read the order.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// The disk has it: noted when that is so.
    Synced,
    /// To this name: noted before.
    Renamed,
    /// Noted before.
    Removed,
}

/// Waits until the disk has the bytes of a file.
pub(crate) fn sync_data(file: &File, path: &Path) -> io::Result<()> {
    file.sync_data()?;
    note(Call::Synced, path);
    Ok(())
}

/// Waits until the disk has a file and all that is known of it.
pub(crate) fn sync_all(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    note(Call::Synced, path);
    Ok(())
}

/// Waits until the disk has the names in a folder.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    sync_all(&File::open(folder)?, folder)
}

pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    note(Call::Renamed, to);
    fs::rename(from, to)
}

pub(crate) fn remove(path: &Path) -> io::Result<()> {
    note(Call::Removed, path);
    fs::remove_file(path)
}

#[cfg(not(test))]
fn note(_: Call, _: &Path) {}

#[cfg(test)]
static SEEN: parking_lot::Mutex<Vec<(Call, std::path::PathBuf)>> =
    parking_lot::Mutex::new(Vec::new());

#[cfg(test)]
fn note(call: Call, path: &Path) {
    SEEN.lock().push((call, path.to_owned()));
}

/// The calls so far about what lies in `folder`, by whichever thread, with the paths from there.
#[cfg(test)]
pub(crate) fn seen(folder: &Path) -> Vec<(Call, String)> {
    let seen = SEEN.lock();
    let here = seen.iter().filter_map(|(call, path)| {
        let path = path.strip_prefix(folder).ok()?;
        Some((*call, path.display().to_string()))
    });
    here.collect()
}
