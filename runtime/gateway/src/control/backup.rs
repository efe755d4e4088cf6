//! Backup of a gateway that serves, and restore into a data directory without a store.

use std::path::Path;

use serde::Deserialize;
use tollgate_governance::Directory;
use tollgate_store::{DiskStore, Durability, Store as _, StoreError, audit, backup};

use super::Control;
use super::audit::{Act, Actor};
use super::data_dir::DataDir;
use super::error::{ControlError, StartError};
use crate::config::Config;

pub use tollgate_store::backup::Manifest as BackupManifest;

/// What a caller says to make a backup.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// Absolute path where the gateway runs; new or empty.
    pub folder: String,
}

impl Control {
    /// Writes a backup while requests are served: everything but the master key, as of one moment. Reads the whole store.
    ///
    /// # Errors
    /// The folder is not absolute, not empty, not writable or within the store.
    pub fn back_up(&self, request: &BackupRequest) -> Result<BackupManifest, ControlError> {
        let folder = Path::new(&request.folder);
        let wrong = |message: String| ControlError::invalid("folder", message);
        if !folder.is_absolute() {
            return Err(wrong("must be an absolute path".to_owned()));
        }
        let store = self.data.store();
        let store = store.canonicalize().unwrap_or(store);
        if self.within(folder, &store) {
            return Err(wrong("must not be inside the store itself".to_owned()));
        }
        self.catch_up();
        let manifest = backup::create(&*self.store, folder).map_err(|error| match error {
            StoreError::Backup { .. } | StoreError::Io(_) => wrong(error.to_string()),
            error => error.into(),
        })?;
        // After the deed: the entry names what was written by its hash.
        let act = Act::new("backup.create").about(request.folder.as_str(), "");
        let noted = self.note(act.with("sha256", &manifest.sha256));
        let noted = noted.map_err(|error| {
            let message =
                format!("the backup was written, but the audit log does not tell of it: {error}");
            ControlError::internal(message)
        });
        noted?.confirmed()?;
        Ok(manifest)
    }

    /// Whether `folder`, or the nearest folder above it that exists, lies in `store`.
    fn within(&self, folder: &Path, store: &Path) -> bool {
        let real = folder.ancestors().find_map(|path| path.canonicalize().ok());
        real.is_some_and(|real| real.starts_with(store))
    }
}

/// What became of a restore.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What the backup holds.
    pub manifest: BackupManifest,
    /// Where the store is now.
    pub store: std::path::PathBuf,
    /// Where the master key is looked for.
    pub master_key: std::path::PathBuf,
    /// Where the management token is looked for.
    pub token_file: std::path::PathBuf,
}

/// Writes down in the restored log that it was restored: what came after the backup is not in it.
fn note_restored(
    data: &DataDir,
    folder: &Path,
    manifest: &BackupManifest,
) -> Result<(), StoreError> {
    let store = DiskStore::open(&data.store(), Durability::PowerLoss)?;
    let act = Act::new("backup.restore").by(Actor::CommandLine);
    let act = act
        .about(folder.display().to_string(), "")
        .with("sha256", &manifest.sha256)
        .with("backup_created_ms", manifest.created_ms);
    let entry = super::audit::alone(&store, act, &Directory::default(), &[])?;
    store.apply(&[audit::write(&entry)])
}

/// Makes the store of the configured data directory from a backup. Nothing that is there is touched.
///
/// # Errors
/// The data directory has a store, or the backup is not good.
pub fn restore(config: &Config, folder: &Path) -> Result<Restored, StartError> {
    let data = DataDir::at(&config.data.dir);
    data.prepare()?;
    let failed = |error: StoreError| StartError::Store {
        path: data.store(),
        reason: error.to_string(),
    };
    let manifest = backup::restore(folder, &data.store()).map_err(failed)?;
    note_restored(&data, folder, &manifest).map_err(failed)?;
    Ok(Restored {
        manifest,
        store: data.store(),
        master_key: super::open::master_key_file(&data),
        token_file: data.management_token(),
    })
}
