//! Power-loss safety for the engine's files: its own flush only hands pages to the kernel.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::calls;

/// The files that the engine writes.
#[derive(Debug)]
pub(crate) struct Disk {
    log: File,
    path: PathBuf,
    /// Values too large for the log lie here, one file each, written once.
    blobs: PathBuf,
    synced: Mutex<HashSet<OsString>>,
}

impl Disk {
    /// The files of the engine in `path`, which it has opened before.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let (blobs, path) = (path.join("blobs"), path.join("db"));
        Ok(Self {
            log: File::open(&path)?,
            path,
            blobs,
            synced: Mutex::default(),
        })
    }

    /// Waits until the disk has everything that was flushed before.
    pub(crate) fn sync(&self) -> io::Result<()> {
        calls::sync_data(&self.log, &self.path)?;
        let mut synced = self.synced.lock();
        let mut present = HashSet::new();
        let mut grew = false;
        for entry in fs::read_dir(&self.blobs)? {
            let name = entry?.file_name();
            if !synced.contains(&name) {
                let path = self.blobs.join(&name);
                match File::open(&path) {
                    Ok(blob) => calls::sync_all(&blob, &path)?,
                    // The engine removes blobs that nothing refers to any more.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
                grew = true;
            }
            present.insert(name);
        }
        if grew {
            calls::sync_folder(&self.blobs)?;
        }
        *synced = present;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_blob_is_synced_once_and_forgotten_when_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("db"), "").unwrap();
        fs::create_dir(folder.path().join("blobs")).unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        disk.sync().unwrap();
        assert!(disk.synced.lock().is_empty());
        fs::write(folder.path().join("blobs/7"), "x").unwrap();
        disk.sync().unwrap();
        assert!(disk.synced.lock().contains(&OsString::from("7")));
        fs::remove_file(folder.path().join("blobs/7")).unwrap();
        disk.sync().unwrap();
        assert!(disk.synced.lock().is_empty());
    }
}
