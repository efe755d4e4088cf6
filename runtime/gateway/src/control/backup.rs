//! Backup of a gateway that serves, and restore into a data directory without a store.

use std::path::Path;

use serde::Deserialize;
use tollgate_store::{StoreError, backup};

use super::Control;
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
        backup::create(&*self.store, folder).map_err(|error| match error {
            StoreError::Backup { .. } | StoreError::Io(_) => wrong(error.to_string()),
            error => error.into(),
        })
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

/// Makes the store of the configured data directory from a backup. Nothing that is there is touched.
///
/// # Errors
/// The data directory has a store, or the backup is not good.
pub fn restore(config: &Config, folder: &Path) -> Result<Restored, StartError> {
    let data = DataDir::at(&config.data.dir);
    data.prepare()?;
    let manifest = backup::restore(folder, &data.store()).map_err(|error| StartError::Store {
        path: data.store(),
        reason: error.to_string(),
    })?;
    Ok(Restored {
        manifest,
        store: data.store(),
        master_key: super::open::master_key_file(&data),
        token_file: data.management_token(),
    })
}
