//! `tollgate component sign | signing-key`: no gateway is asked. A key is made and used where components are judged, which
//! need not be where they run.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use serde_json::json;
use tollgate_plugin::Signer;

use crate::report;

/// Signs files in place.
pub(crate) fn sign(files: &[PathBuf], key: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let signer = read(key)?;
    for file in files {
        sign_one(&signer, file).with_context(|| file.display().to_string())?;
    }
    if as_json {
        let names: Vec<_> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        report::json(&json!({ "signed": names, "public_key": signer.public_key() }))?;
    } else {
        report::print(&format!("signed with {}\n", signer.public_key()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn sign_one(signer: &Signer, file: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(file)?;
    ensure!(bytes.starts_with(b"\0asm"), "it is no WebAssembly file");
    let name = file.file_name().context("it has no name")?;
    // Hidden, then renamed: a gateway that watches the folder sees the old file or the new one, whole.
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    let hidden = file.with_file_name(hidden);
    fs::write(&hidden, signer.sign(&bytes))?;
    fs::set_permissions(&hidden, fs::metadata(file)?.permissions())?;
    Ok(fs::rename(&hidden, file)?)
}

/// Shows the public half of a key, which is made where there is none.
pub(crate) fn key(file: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let made = make(file).with_context(|| file.display().to_string())?;
    let signer = read(file)?;
    if as_json {
        report::json(&json!({ "public_key": signer.public_key(), "made": made }))?;
        return Ok(ExitCode::SUCCESS);
    }
    report::print(&format!("{}\n", signer.public_key()))?;
    if made {
        report::remark(
            "A new key. Whoever has the file decides what gateways that trust it run.\n",
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn make(file: &Path) -> anyhow::Result<bool> {
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    let mut opened = match opened {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let secret = Signer::new_secret().context("the system gives no randomness")?;
    opened.write_all(secret.as_bytes())?;
    opened.write_all(b"\n")?;
    opened.sync_all()?;
    Ok(true)
}

fn read(file: &Path) -> anyhow::Result<Signer> {
    let what = || format!("the signing key {}", file.display());
    let mode = fs::metadata(file).with_context(what)?.mode();
    if mode & 0o077 != 0 {
        bail!("{} can be read by others: `chmod 600` it", what());
    }
    let text = zeroize::Zeroizing::new(fs::read_to_string(file).with_context(what)?);
    Signer::from_secret(&text).with_context(|| format!("{} is none", what()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_and_signs_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let (file, component) = (folder.path().join("key"), folder.path().join("a.wasm"));
        assert!(make(&file).unwrap());
        let first = read(&file).unwrap().public_key();
        assert!(!make(&file).unwrap());
        assert_eq!(read(&file).unwrap().public_key(), first);

        fs::write(&component, b"\0asm\x0d\0\x01\0").unwrap();
        sign(std::slice::from_ref(&component), &file, false).unwrap();
        let signed = fs::read(&component).unwrap();
        assert!(signed.len() > 100);
        sign(std::slice::from_ref(&component), &file, false).unwrap();
        assert_eq!(fs::read(&component).unwrap(), signed);
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 2, "a hidden file is left");
    }

    #[test]
    fn a_key_that_others_can_read_and_what_is_no_component_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (file, text) = (folder.path().join("key"), folder.path().join("notes.txt"));
        make(&file).unwrap();
        fs::write(&text, "no component").unwrap();
        let why = sign(std::slice::from_ref(&text), &file, false).unwrap_err();
        assert!(
            format!("{why:#}").contains("no WebAssembly file"),
            "{why:#}"
        );
        assert_eq!(fs::read(&text).unwrap(), b"no component");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let why = read(&file).unwrap_err();
        assert!(why.to_string().contains("chmod 600"), "{why}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "nonsense").unwrap();
        read(&file).unwrap_err();
    }
}
