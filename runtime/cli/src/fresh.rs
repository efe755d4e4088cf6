//! Files that a command writes: new ones alone.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::bail;

/// Makes a file of this mode that is not there yet.
///
/// # Errors
/// It is there already, its folder is not, or it cannot be made.
pub(crate) fn create(file: &Path, mode: u32) -> anyhow::Result<File> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(file);
    match made {
        Ok(made) => Ok(made),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!(
                "{} is there already and is not written over",
                file.display()
            )
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = file.parent().unwrap_or(file);
            bail!(
                "the folder {} is not there; make it first",
                folder.display()
            )
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_named_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.csv");
        create(&file, 0o600).unwrap();
        std::fs::write(&file, "kept").unwrap();
        let error = create(&file, 0o600).unwrap_err().to_string();
        assert!(
            error.contains("x.csv is there already") && !error.contains("os error"),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
    }

    #[test]
    fn a_folder_that_is_missing_is_named_and_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("2026");
        let error = create(&missing.join("x.csv"), 0o600).unwrap_err();
        let error = error.to_string();
        let named = format!("{} is not there", missing.display());
        assert!(
            error.contains(&named) && !error.contains("os error"),
            "{error}"
        );
        assert!(!missing.exists());
    }
}
