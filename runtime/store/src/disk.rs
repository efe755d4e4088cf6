//! Power-loss safety for the engine's files: its own flush only hands pages to the kernel.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::Dir;

use crate::calls;

/// The files that the engine writes. The folder is held open: a wait for the disk needs a descriptor for each new blob and
/// no other, as it failed where sockets had taken all.
#[derive(Debug)]
pub(crate) struct Disk {
    log: File,
    path: PathBuf,
    /// Values too large for the log lie here, one file each, written once.
    blobs: PathBuf,
    folder: File,
    synced: Mutex<Synced>,
}

#[derive(Debug)]
struct Synced {
    /// What lies in the folder now.
    present: Dir,
    /// What lay there at the last look.
    names: HashSet<OsString>,
}

impl Disk {
    /// The files of the engine in `path`, which it has opened before.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let (blobs, path) = (path.join("blobs"), path.join("db"));
        let folder = File::open(&blobs)?;
        let synced = Synced {
            present: Dir::read_from(&folder)?,
            names: HashSet::new(),
        };
        Ok(Self {
            log: File::open(&path)?,
            path,
            blobs,
            folder,
            synced: Mutex::new(synced),
        })
    }

    /// Waits until the disk has everything that was flushed before.
    pub(crate) fn sync(&self) -> io::Result<()> {
        calls::sync_data(&self.log, &self.path)?;
        let synced = &mut *self.synced.lock();
        let mut names = HashSet::new();
        let mut grew = false;
        synced.present.rewind();
        for entry in synced.present.by_ref() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let name = OsStr::from_bytes(name).to_owned();
            if !synced.names.contains(&name) {
                let path = self.blobs.join(&name);
                match File::open(&path) {
                    Ok(blob) => calls::sync_all(&blob, &path)?,
                    // The engine removes blobs that nothing refers to any more.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
                grew = true;
            }
            names.insert(name);
        }
        if grew {
            calls::sync_all(&self.folder, &self.blobs)?;
        }
        synced.names = names;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Where all descriptors are taken nothing more can be opened; here nothing is where it would be opened.
    #[test]
    fn a_wait_for_the_disk_opens_neither_the_log_nor_the_folder_of_blobs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        fs::create_dir_all(path.join("blobs")).unwrap();
        fs::write(path.join("db"), "").unwrap();
        fs::write(path.join("blobs/7"), "x").unwrap();
        let disk = Disk::open(&path).unwrap();
        disk.sync().unwrap();
        fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        disk.sync().unwrap();
        assert!(disk.synced.lock().names.contains(&OsString::from("7")));
    }

    #[test]
    fn each_blob_is_synced_once_and_forgotten_when_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("db"), "").unwrap();
        fs::create_dir(folder.path().join("blobs")).unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        disk.sync().unwrap();
        assert!(disk.synced.lock().names.is_empty());
        fs::write(folder.path().join("blobs/7"), "x").unwrap();
        disk.sync().unwrap();
        assert!(disk.synced.lock().names.contains(&OsString::from("7")));
        fs::remove_file(folder.path().join("blobs/7")).unwrap();
        disk.sync().unwrap();
        assert!(disk.synced.lock().names.is_empty());
    }
}
