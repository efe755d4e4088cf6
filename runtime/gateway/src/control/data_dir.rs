//! The data directory: owner-only folders and secret files, written whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::StartError;

/// Mode of the data directory.
pub const DIR_MODE: u32 = 0o700;
/// Mode of every file in it that holds a secret.
pub const SECRET_MODE: u32 = 0o600;

/// Where each thing lies in the data directory.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// Names the directory; touches nothing.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Makes the directory with mode 0700. An empty one that is there is closed to others; one that holds something
    /// must be closed already, since it may be somebody's home.
    ///
    /// # Errors
    /// It cannot be made or is open to group or others.
    pub fn prepare(&self) -> Result<(), StartError> {
        let fail = |source| StartError::File {
            path: self.root.clone(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(DIR_MODE)
            .create(&self.root)
            .map_err(fail)?;
        if fs::read_dir(&self.root).map_err(fail)?.next().is_none() {
            // Where it belongs to somebody else the check below says so better.
            let _ = fs::set_permissions(&self.root, fs::Permissions::from_mode(DIR_MODE));
        }
        check_mode(&self.root, DIR_MODE)
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The journal in front of the store.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.store().join("journal")
    }

    /// The embedded store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// The vault's master key, where no environment variable holds it.
    #[must_use]
    pub fn master_key(&self) -> PathBuf {
        self.root.join("master-key")
    }

    /// Salt and cost of the passphrase that the master key is derived from, where one is used.
    #[must_use]
    pub fn passphrase_parameters(&self) -> PathBuf {
        self.root.join("master-key.salt")
    }

    /// Compiled components.
    #[must_use]
    pub fn component_cache(&self) -> PathBuf {
        self.root.join("component-cache")
    }

    /// The management token in clear, for the command line on this machine.
    #[must_use]
    pub fn management_token(&self) -> PathBuf {
        self.root.join("management-token")
    }

    /// The inference key that `serve --quickstart` made.
    #[must_use]
    pub fn quickstart_key(&self) -> PathBuf {
        self.root.join("quickstart-key")
    }

    /// The addresses of the server that runs on this directory.
    #[must_use]
    pub fn addresses(&self) -> PathBuf {
        self.root.join("addresses.json")
    }
}

/// Refuses a path that group or others can use.
///
/// # Errors
/// [`StartError::Mode`], or the file cannot be looked at.
pub fn check_mode(path: &Path, wanted: u32) -> Result<(), StartError> {
    let meta = fs::metadata(path).map_err(|source| StartError::File {
        path: path.to_owned(),
        source,
    })?;
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StartError::Mode {
            path: path.to_owned(),
            mode,
            wanted,
        });
    }
    Ok(())
}

/// Reads a secret file, without the line end an editor leaves; `None` where there is none.
///
/// # Errors
/// The file is open to others or cannot be read.
pub fn read_secret(path: &Path) -> Result<Option<String>, StartError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(StartError::File {
                path: path.to_owned(),
                source,
            });
        }
    };
    check_mode(path, SECRET_MODE)?;
    Ok(Some(text.trim_end().to_owned()))
}

/// Writes a secret file with mode 0600 from its first byte on; the old one stays until the new one is whole.
///
/// # Errors
/// What the system said.
pub fn write_secret(path: &Path, text: &str) -> Result<(), StartError> {
    let fail = |source| StartError::File {
        path: path.to_owned(),
        source,
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let fresh = path.with_file_name(name);
    // A left-over of a killed process would keep its own mode: make the file anew.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
        _ => {}
    }
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(SECRET_MODE)
            .open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&fresh);
        fail(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_for_its_owner_alone_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        write_secret(&path, "one").unwrap();
        write_secret(&path, "two").unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(read_secret(&path).unwrap().as_deref(), Some("two"));
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        write_secret(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = read_secret(&path).unwrap_err().to_string();
        assert!(
            error.contains("chmod 600") && !error.contains("one"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_secret_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read_secret(&dir.path().join("none")).unwrap().is_none());
    }

    #[test]
    fn the_data_directory_is_made_closed_and_an_open_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::at(&dir.path().join("a/data"));
        data.prepare().unwrap();
        let mode = || fs::metadata(data.root()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o700);
        fs::set_permissions(data.root(), fs::Permissions::from_mode(0o755)).unwrap();
        data.prepare().unwrap();
        assert_eq!(mode(), 0o700, "an empty one is closed");
        fs::write(data.root().join("file"), "").unwrap();
        fs::set_permissions(data.root(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(
            data.prepare(),
            Err(StartError::Mode { mode: 0o755, .. })
        ));
    }
}
