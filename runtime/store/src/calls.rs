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
    refuse(path)?;
    file.sync_data()?;
    note(Call::Synced, path);
    Ok(())
}

/// Waits until the disk has a file and all that is known of it.
pub(crate) fn sync_all(file: &File, path: &Path) -> io::Result<()> {
    refuse(path)?;
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

#[cfg(not(test))]
fn refuse(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Folders whose disk fails, and how many times more.
#[cfg(test)]
static FAILING: parking_lot::Mutex<Vec<(std::path::PathBuf, u32)>> =
    parking_lot::Mutex::new(Vec::new());

/// Lets the next so many waits for the disk fail of what lies in `folder`.
#[cfg(test)]
pub(crate) fn fail(folder: &Path, times: u32) {
    FAILING.lock().push((folder.to_owned(), times));
}

#[cfg(test)]
fn refuse(path: &Path) -> io::Result<()> {
    let mut failing = FAILING.lock();
    let due =
        |(folder, times): &&mut (std::path::PathBuf, u32)| *times > 0 && path.starts_with(folder);
    match failing.iter_mut().find(due) {
        Some((_, times)) => {
            *times -= 1;
            Err(io::Error::other("the disk does not answer"))
        }
        None => Ok(()),
    }
}

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
