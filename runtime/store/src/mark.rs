//! The mark beside the engine's files: which store this is, and how far it got.
//!
//! An embedded engine that finds its log damaged may cut it off and begin with what is left, or with nothing. The mark
//! is the witness from outside: a store that lost its content, or committed rows, is refused instead of taken for a
//! young one.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What the mark says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Format of the store.
    pub(crate) format: u64,
    /// Made at random when the store was.
    pub(crate) id: String,
}

const NAME: &str = "tollgate-store.json";
const PROGRESS: &str = "tollgate-progress";

impl Mark {
    /// The mark in `folder`, if there is one. `Err` says why it cannot be read.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, String> {
        match fs::read(folder.join(NAME)) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|_| format!("{NAME} cannot be read")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{NAME}: {error}")),
        }
    }

    /// Writes the mark: whole or not at all, durable on return.
    pub(crate) fn write(&self, folder: &Path) -> std::io::Result<()> {
        let draft = folder.join(format!("{NAME}.new"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        serde_json::to_writer(&mut file, self)?;
        file.flush()?;
        file.sync_all()?;
        fs::rename(&draft, folder.join(NAME))?;
        File::open(folder)?.sync_all()
    }
}

/// How many commits the store has made, noted beside it after each one.
///
/// Written without a sync: a killed process loses nothing of it. After a power failure it may be older than the store
/// (harmless) or, where the operator did not ask for power-loss safety, newer; the boot it was written in tells.
#[derive(Debug)]
pub(crate) struct Progress {
    file: File,
    boot: [u8; 16],
}

/// What an earlier process noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) commits: u64,
    /// Whether the machine has not been started anew since.
    pub(crate) this_boot: bool,
}

const LENGTH: usize = 32;

impl Progress {
    /// Opens the note in `folder`; an absent or torn one notes nothing.
    pub(crate) fn open(folder: &Path) -> std::io::Result<(Self, Option<Noted>)> {
        let path: PathBuf = folder.join(PROGRESS);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let boot = boot_id();
        let mut bytes = [0u8; LENGTH];
        let noted = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => parse(&bytes, &boot),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        Ok((Self { file, boot }, noted))
    }

    /// Notes that `commits` have been made. One small write.
    pub(crate) fn note(&self, commits: u64) -> std::io::Result<()> {
        let mut bytes = [0u8; LENGTH];
        bytes[..8].copy_from_slice(&commits.to_le_bytes());
        // Its complement: a torn or zeroed note is recognised.
        bytes[8..16].copy_from_slice(&(!commits).to_le_bytes());
        bytes[16..].copy_from_slice(&self.boot);
        self.file.write_all_at(&bytes, 0)
    }
}

fn parse(bytes: &[u8; LENGTH], boot: &[u8; 16]) -> Option<Noted> {
    let (commits, rest) = bytes.split_first_chunk::<8>()?;
    let (complement, noted_boot) = rest.split_first_chunk::<8>()?;
    let commits = u64::from_le_bytes(*commits);
    (commits == !u64::from_le_bytes(*complement)).then_some(Noted {
        commits,
        this_boot: noted_boot == boot && *boot != [0; 16],
    })
}

/// Identity of this run of the machine; zeros where the system does not tell.
pub(crate) fn boot_id() -> [u8; 16] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).unwrap_or(0).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_back_and_a_torn_one_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let (progress, noted) = Progress::open(folder.path()).unwrap();
        assert_eq!(noted, None);
        progress.note(41).unwrap();
        progress.note(42).unwrap();
        let (_, noted) = Progress::open(folder.path()).unwrap();
        assert_eq!(noted.unwrap().commits, 42);
        assert!(noted.unwrap().this_boot);
        progress.file.write_all_at(&[9], 3).unwrap();
        assert_eq!(Progress::open(folder.path()).unwrap().1, None);
    }

    #[test]
    fn a_mark_is_read_back_and_nonsense_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Mark::read(folder.path()), Ok(None));
        let mark = Mark {
            format: 1,
            id: "a".to_owned(),
        };
        mark.write(folder.path()).unwrap();
        assert_eq!(Mark::read(folder.path()), Ok(Some(mark)));
        fs::write(folder.path().join(NAME), "{").unwrap();
        assert!(Mark::read(folder.path()).is_err());
    }
}
