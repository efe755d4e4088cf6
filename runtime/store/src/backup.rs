//! Backup of a live store into a folder, and restore into an empty one.
//!
//! A backup is two files: the pairs, and a manifest with their SHA-256, written last: a folder without a manifest is a
//! backup that was interrupted. It holds accounts, keys, sealed credentials, policies, usage rows, the ledger and the audit
//! log as of one moment, and the kept answers that are met while it is made; not the master key, without which the credentials cannot be opened.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::blocks::USAGE;
use crate::engine::{Durability, Store, Table};
use crate::error::StoreError;
use crate::migrate::FORMAT;
use crate::sled_store::DiskStore;

const MANIFEST: &str = "tollgate-backup.json";
const PAIRS: &str = "store.pairs";
/// The format of backups, and that of the pairs in them, which is the store's.
const BACKUP_FORMAT: u64 = 1;
/// A pair larger than this is none.
const LONGEST: usize = 1 << 28;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of the backup.
    pub backup_format: u64,
    /// The format of the store that was backed up.
    pub store_format: u64,
    /// When it was made, Unix milliseconds.
    pub created_ms: u64,
    /// Accounts, keys and whatever else exists as a record.
    pub records: u64,
    /// Blocks of usage rows.
    pub usage_blocks: u64,
    /// Records of the ledger.
    pub ledger_records: u64,
    /// Entries of the audit log.
    #[serde(default)]
    pub audit_entries: u64,
    /// Size of the pairs.
    pub bytes: u64,
    /// SHA-256 of the pairs, in hexadecimal digits.
    pub sha256: String,
}

/// Writes a backup of `store` into `folder`, which must be new or empty. Requests are served meanwhile.
///
/// # Errors
/// [`StoreError::Backup`] when there is something in the folder; else see [`Store`].
pub fn create(store: &dyn Store, folder: &Path) -> Result<Manifest, StoreError> {
    if !is_empty(folder)? {
        return Err(wrong(folder, "the folder is not empty"));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(folder.join(PAIRS))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut manifest = Manifest {
        backup_format: BACKUP_FORMAT,
        store_format: FORMAT,
        created_ms: now.map_or(0, |since| since.as_millis() as u64),
        records: 0,
        usage_blocks: 0,
        ledger_records: 0,
        audit_entries: 0,
        bytes: 0,
        sha256: String::new(),
    };
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut digest = Sha256::new();
    store.export(&mut |key, value| {
        let counter = match key.first() {
            Some(&USAGE) => &mut manifest.usage_blocks,
            Some(&table) if table == Table::Ledger as u8 => &mut manifest.ledger_records,
            Some(&table) if table == Table::Audit as u8 => &mut manifest.audit_entries,
            _ => &mut manifest.records,
        };
        *counter += 1;
        for part in [
            &(key.len() as u32).to_le_bytes()[..],
            &(value.len() as u32).to_le_bytes()[..],
            key,
            value,
        ] {
            digest.update(part);
            out.write_all(part)?;
            manifest.bytes += part.len() as u64;
        }
        Ok(())
    })?;
    manifest.sha256 = hex(&digest.finalize());
    let file = out.into_inner().map_err(std::io::Error::from)?;
    file.sync_all()?;
    let mut note = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(folder.join(MANIFEST))?;
    serde_json::to_writer_pretty(&mut note, &manifest).map_err(std::io::Error::from)?;
    note.sync_all()?;
    File::open(folder)?.sync_all()?;
    Ok(manifest)
}

/// Reads a backup whole and compares its checksum.
///
/// # Errors
/// [`StoreError::Backup`] says what is wrong with it.
pub fn verify(folder: &Path) -> Result<Manifest, StoreError> {
    let manifest = manifest(folder)?;
    let mut pairs = Pairs::open(folder)?;
    let mut buffer = vec![0; 1 << 16];
    let mut digest = Sha256::new();
    let mut bytes = 0;
    loop {
        let read = pairs.0.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
        bytes += read as u64;
    }
    if bytes != manifest.bytes {
        let reason = format!("{PAIRS} has {bytes} bytes instead of {}", manifest.bytes);
        return Err(wrong(folder, &reason));
    }
    if hex(&digest.finalize()) != manifest.sha256 {
        return Err(wrong(
            folder,
            &format!("the checksum of {PAIRS} does not match"),
        ));
    }
    Ok(manifest)
}

/// Makes a store in `into` from the backup in `folder`. `into` must be new or empty; whatever is there stays
/// untouched. The backup is verified first; the store appears whole or not at all.
///
/// # Errors
/// [`StoreError::Backup`] for a backup that is not good or a folder that is not empty; [`StoreError::Newer`].
pub fn restore(folder: &Path, into: &Path) -> Result<Manifest, StoreError> {
    if !is_empty(into)? {
        return Err(StoreError::Backup {
            path: folder.to_owned(),
            reason: format!(
                "cannot be restored: there is something in {}; move it away",
                into.display()
            ),
        });
    }
    let manifest = verify(folder)?;
    if manifest.store_format > FORMAT {
        return Err(StoreError::Newer {
            path: folder.to_owned(),
            found: manifest.store_format,
            known: FORMAT,
        });
    }
    let draft = into.with_extension("restoring");
    match fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    {
        let store = DiskStore::open(&draft, Durability::PowerLoss)?;
        store.import(manifest.store_format, Pairs::open(folder)?)?;
    }
    match fs::remove_dir(into) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    fs::rename(&draft, into)?;
    if let Some(parent) = into.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(manifest)
}

fn manifest(folder: &Path) -> Result<Manifest, StoreError> {
    let bytes = fs::read(folder.join(MANIFEST)).map_err(|error| match error.kind() {
        ErrorKind::NotFound => wrong(
            folder,
            &format!("there is no {MANIFEST}: not a backup, or one that was interrupted"),
        ),
        _ => StoreError::Io(error),
    })?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|error| wrong(folder, &format!("{MANIFEST} cannot be read: {error}")))?;
    if manifest.backup_format > BACKUP_FORMAT {
        return Err(StoreError::Newer {
            path: folder.to_owned(),
            found: manifest.backup_format,
            known: BACKUP_FORMAT,
        });
    }
    Ok(manifest)
}

/// The pairs of a backup, one after the other.
struct Pairs(BufReader<File>);

impl Pairs {
    fn open(folder: &Path) -> Result<Self, StoreError> {
        match File::open(folder.join(PAIRS)) {
            Ok(file) => Ok(Self(BufReader::with_capacity(1 << 20, file))),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(wrong(folder, &format!("{PAIRS} is missing")))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn read(&mut self) -> std::io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        let mut length = [0; 4];
        match self.0.read_exact(&mut length) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let key = u32::from_le_bytes(length) as usize;
        self.0.read_exact(&mut length)?;
        let value = u32::from_le_bytes(length) as usize;
        if key.max(value) > LONGEST {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut pair = (vec![0; key], vec![0; value]);
        self.0.read_exact(&mut pair.0)?;
        self.0.read_exact(&mut pair.1)?;
        Ok(Some(pair))
    }
}

impl Iterator for Pairs {
    type Item = std::io::Result<(Vec<u8>, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn is_empty(folder: &Path) -> Result<bool, StoreError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn wrong(folder: &Path, reason: &str) -> StoreError {
    StoreError::Backup {
        path: folder.to_owned(),
        reason: reason.to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
