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

use crate::crc::crc32;

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

/// How far a store has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// How many commits it has made.
    pub(crate) commits: u64,
    /// Where the engine's log ends that has them; 0 where that is not known.
    pub(crate) log: u64,
}

/// How far the store has got, noted beside it after each commit.
///
/// Written without a sync: a killed process loses nothing of it. After a power failure it may be older than the store
/// (harmless) or newer; so it has apart what the disk had, and the boot it was written in.
#[derive(Debug)]
pub(crate) struct Progress {
    file: File,
    boot: [u8; 16],
}

/// What an earlier process noted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) reached: Reached,
    pub(crate) on_disk: Reached,
    /// Whether the machine has not been started anew since.
    pub(crate) this_boot: bool,
}

impl Noted {
    /// What must be there: only a power failure takes what the disk did not have.
    pub(crate) fn promised(&self) -> Reached {
        match self.this_boot {
            true => self.reached,
            false => self.on_disk,
        }
    }
}

/// What there is of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    Is(Noted),
    /// An empty file: someone says that it is lost, or nothing was noted yet.
    Empty,
    Missing,
    Damaged,
}

/// A note has two parts. The first is all that the first versions wrote and read: the number of commits, its complement
/// and the boot. The second repeats that, adds the rest and has a checksum of itself: where such a version went on with
/// the store and wrote the first part, the second is of before.
const LENGTH: usize = SHORT + SECOND;
const SHORT: usize = 32;
const SECOND: usize = 52;
/// What is summed up of the second part.
const SUMMED: usize = SECOND - 4;
/// Of a note of a version that had one checksum for both parts, which stayed where an older version wrote the first.
const JOINED: usize = 64;

impl Progress {
    /// Its file's name.
    pub(crate) const NAME: &str = PROGRESS;

    /// The note in `folder`. Nothing is changed.
    pub(crate) fn read(folder: &Path) -> std::io::Result<Note> {
        match fs::read(folder.join(PROGRESS)) {
            Ok(bytes) if bytes.is_empty() => Ok(Note::Empty),
            Ok(bytes) => Ok(parse(&bytes, &boot_id()).map_or(Note::Damaged, Note::Is)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Note::Missing),
            Err(error) => Err(error),
        }
    }

    /// Opens the note in `folder`, or makes an empty one.
    pub(crate) fn open(folder: &Path) -> std::io::Result<Self> {
        let path: PathBuf = folder.join(PROGRESS);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let boot = boot_id();
        Ok(Self { file, boot })
    }

    /// Notes how far the store has got, and how far the disk has it. One small write.
    pub(crate) fn note(&self, reached: Reached, on_disk: Reached) -> std::io::Result<()> {
        let mut bytes = [0u8; LENGTH];
        let (first, second) = bytes.split_at_mut(SHORT);
        first[..8].copy_from_slice(&reached.commits.to_le_bytes());
        first[8..16].copy_from_slice(&(!reached.commits).to_le_bytes());
        first[16..].copy_from_slice(&self.boot);
        second[..8].copy_from_slice(&reached.commits.to_le_bytes());
        second[8..24].copy_from_slice(&self.boot);
        second[24..32].copy_from_slice(&reached.log.to_le_bytes());
        second[32..40].copy_from_slice(&on_disk.commits.to_le_bytes());
        second[40..SUMMED].copy_from_slice(&on_disk.log.to_le_bytes());
        let sum = crc32(0, &second[..SUMMED]);
        second[SUMMED..].copy_from_slice(&sum.to_le_bytes());
        self.file.write_all_at(&bytes, 0)
    }

    #[cfg(test)]
    pub(crate) fn of_another_boot(mut self) -> Self {
        self.boot[0] ^= 0xff;
        self
    }

    /// Waits until the disk has the note: from then on a power failure takes none of it.
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        self.file.sync_all()
    }
}

fn parse(bytes: &[u8], boot: &[u8; 16]) -> Option<Noted> {
    let (first, second) = bytes.split_first_chunk::<SHORT>()?;
    let commits = number(first, 0)?;
    if commits != !number(first, 8)? {
        return None;
    }
    let is_this = |noted: &[u8]| noted == boot && *boot != [0; 16];
    let short = Noted {
        reached: Reached { commits, log: 0 },
        on_disk: Reached::default(),
        this_boot: is_this(&first[16..]),
    };
    match bytes.len() {
        SHORT => return Some(short),
        JOINED if sum_at(bytes, 56)? == crc32(0, &bytes[..56]) => return Some(short),
        LENGTH if sum_at(second, SUMMED)? == crc32(0, &second[..SUMMED]) => {}
        _ => return None,
    }
    // Commits of a version that knew of the first part alone.
    if number(second, 0)? != commits {
        return Some(short);
    }
    Some(Noted {
        reached: Reached {
            commits,
            log: number(second, 24)?,
        },
        on_disk: Reached {
            commits: number(second, 32)?,
            log: number(second, 40)?,
        },
        this_boot: is_this(&second[8..24]),
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn sum_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
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
    fn a_note_is_read_back_and_none_that_was_changed_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let read = || Progress::read(path).unwrap();
        assert_eq!(read(), Note::Missing);
        let progress = Progress::open(path).unwrap();
        assert_eq!(read(), Note::Empty);
        let reached = |commits, log| Reached { commits, log };
        progress
            .note(reached(41, 7_000), reached(41, 7_000))
            .unwrap();
        progress
            .note(reached(42, 9_000), reached(40, 6_000))
            .unwrap();
        let Note::Is(noted) = read() else {
            panic!("{:?}", read())
        };
        assert_eq!(noted.reached, reached(42, 9_000));
        assert_eq!(noted.on_disk, reached(40, 6_000));
        assert!(noted.this_boot);
        assert_eq!(noted.promised(), noted.reached);
        let good = fs::read(path.join(PROGRESS)).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(path.join(PROGRESS), bad).unwrap();
            // The second part has the boot, too.
            let read_all_the_same = (16..SHORT).contains(&(bit / 8));
            match read_all_the_same {
                true => assert_eq!(read(), Note::Is(noted), "{bit}"),
                false => assert_eq!(read(), Note::Damaged, "{bit}"),
            }
        }
        for length in 1..good.len() {
            // As an older version left it: it tells of commits, and of a power failure all is allowed.
            let short = length == SHORT;
            fs::write(path.join(PROGRESS), &good[..length]).unwrap();
            assert_eq!(matches!(read(), Note::Is(_)), short, "{length}");
        }
    }

    /// What the first versions wrote.
    fn first_part(commits: u64, boot: [u8; 16]) -> Vec<u8> {
        let (number, complement) = (commits.to_le_bytes(), (!commits).to_le_bytes());
        [&number[..], &complement, &boot].concat()
    }

    #[test]
    fn a_note_of_an_older_version_over_a_newer_one_tells_of_its_commits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let reached = |commits, log| Reached { commits, log };
        let progress = Progress::open(path).unwrap();
        progress
            .note(reached(42, 9_000), reached(42, 9_000))
            .unwrap();
        let overwrite = |commits, boot| {
            let part = first_part(commits, boot);
            progress.file.write_all_at(&part, 0).unwrap();
            match Progress::read(path).unwrap() {
                Note::Is(noted) => noted,
                other => panic!("{other:?}"),
            }
        };
        // It made none.
        let noted = overwrite(42, boot_id());
        assert_eq!(noted.promised(), reached(42, 9_000));
        let noted = overwrite(43, boot_id());
        assert_eq!(noted.promised(), reached(43, 0));
        // The machine was started anew after that.
        let noted = overwrite(44, [7; 16]);
        assert_eq!(noted.reached, reached(44, 0));
        assert_eq!(noted.promised(), Reached::default());
        // The next version that knows of both parts.
        progress
            .note(reached(45, 9_900), reached(42, 9_000))
            .unwrap();
        let noted = overwrite(45, boot_id());
        assert_eq!(noted.promised(), reached(45, 9_900));
    }

    #[test]
    fn a_note_with_one_checksum_for_all_is_read_where_it_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = first_part(42, boot_id());
        bytes.resize(56, 9);
        bytes.extend(crc32(0, &bytes).to_le_bytes());
        bytes.resize(JOINED, 0);
        fs::write(folder.path().join(PROGRESS), &bytes).unwrap();
        let Note::Is(noted) = Progress::read(folder.path()).unwrap() else {
            panic!("it is whole")
        };
        assert_eq!(noted.promised().commits, 42);
        bytes[40] ^= 1;
        fs::write(folder.path().join(PROGRESS), &bytes).unwrap();
        assert_eq!(Progress::read(folder.path()).unwrap(), Note::Damaged);
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
