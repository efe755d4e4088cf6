//! Where the master key comes from: the environment, a key file, or a passphrase.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::VaultError;

/// The environment variable that may hold the master key: 32 bytes in base64.
pub const MASTER_KEY_VARIABLE: &str = "TOLLGATE_MASTER_KEY";

/// The environment variable that may hold a passphrase, from which the master key is derived (Argon2id).
pub const PASSPHRASE_VARIABLE: &str = "TOLLGATE_MASTER_PASSPHRASE";

/// 32 secret bytes, wiped on drop.
pub(crate) type MasterKey = Zeroizing<[u8; 32]>;

/// Where the master key comes from.
pub enum MasterKeySource {
    /// 32 bytes in base64, as found in [`MASTER_KEY_VARIABLE`].
    Text(Zeroizing<String>),
    /// A file with 32 bytes in base64, readable by its owner alone. Made on first use.
    File(PathBuf),
    /// A passphrase; the file keeps the salt and the cost (no secret) and is made on first use.
    Passphrase {
        /// What the operator typed.
        passphrase: Zeroizing<String>,
        /// Salt and cost.
        parameters: PathBuf,
    },
}

impl MasterKeySource {
    /// The environment if it holds a key or a passphrase, otherwise the file. What belongs to a passphrase and is no
    /// secret is kept in `parameters`.
    #[must_use]
    pub fn environment_or_file(file: &Path, parameters: &Path) -> Self {
        let variable = |name| std::env::var(name).ok().map(Zeroizing::new);
        if let Some(text) = variable(MASTER_KEY_VARIABLE) {
            return Self::Text(text);
        }
        match variable(PASSPHRASE_VARIABLE) {
            Some(passphrase) => Self::Passphrase {
                passphrase,
                parameters: parameters.to_owned(),
            },
            None => Self::File(file.to_owned()),
        }
    }

    pub(crate) fn master_key(&self) -> Result<MasterKey, VaultError> {
        match self {
            Self::Text(text) => parse(text, MASTER_KEY_VARIABLE),
            Self::File(path) => from_file(path),
            Self::Passphrase {
                passphrase,
                parameters,
            } => from_passphrase(passphrase, parameters),
        }
    }
}

impl std::fmt::Debug for MasterKeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "MasterKeySource::Text(…)",
            Self::File(_) => "MasterKeySource::File(…)",
            Self::Passphrase { .. } => "MasterKeySource::Passphrase(…)",
        })
    }
}

fn parse(text: &str, origin: &str) -> Result<MasterKey, VaultError> {
    let wrong = || VaultError::MasterKeyFormat(origin.to_owned());
    let decoded = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| wrong())?);
    let mut key = MasterKey::default();
    if decoded.len() != key.len() {
        return Err(wrong());
    }
    key.copy_from_slice(&decoded);
    Ok(key)
}

fn from_file(path: &Path) -> Result<MasterKey, VaultError> {
    let failed = |error| VaultError::KeyFile {
        path: path.to_owned(),
        error,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut key = MasterKey::default();
            SystemRandom::new()
                .fill(&mut *key)
                .map_err(|_| VaultError::Randomness)?;
            let mut text = Zeroizing::new(String::with_capacity(48));
            STANDARD.encode_string(key.as_slice(), &mut text);
            text.push('\n');
            create_private(path, text.as_bytes()).map_err(failed)?;
            // Read back: if another process was quicker, its key is the one.
            File::open(path).map_err(failed)?
        }
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(VaultError::KeyFileMode {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = Zeroizing::new(String::with_capacity(256));
    (&file)
        .take(256)
        .read_to_string(&mut text)
        .map_err(failed)?;
    parse(&text, &path.display().to_string())
}

/// Salt and cost of a passphrase; no secret.
#[derive(Serialize, Deserialize)]
struct Parameters {
    v: u32,
    algorithm: String,
    salt: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

fn from_passphrase(passphrase: &str, path: &Path) -> Result<MasterKey, VaultError> {
    let failed = |error| VaultError::KeyFile {
        path: path.to_owned(),
        error,
    };
    let wrong = |message: &str| VaultError::Passphrase(message.to_owned());
    if passphrase.is_empty() {
        return Err(wrong("is empty"));
    }
    if matches!(fs::metadata(path), Err(error) if error.kind() == ErrorKind::NotFound) {
        let mut salt = [0u8; 16];
        SystemRandom::new()
            .fill(&mut salt)
            .map_err(|_| VaultError::Randomness)?;
        let parameters = Parameters {
            v: 1,
            algorithm: "argon2id".to_owned(),
            salt: STANDARD.encode(salt),
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
        };
        let text = serde_json::to_vec(&parameters).map_err(|error| failed(error.into()))?;
        create_private(path, &text).map_err(failed)?;
    }
    let text = fs::read(path).map_err(failed)?;
    let parameters: Parameters = serde_json::from_slice(&text)
        .map_err(|_| wrong("its parameter file is damaged; restore it from a backup"))?;
    if parameters.v != 1 || parameters.algorithm != "argon2id" {
        return Err(wrong("its parameter file is of a newer Tollgate"));
    }
    // A tampered file may neither exhaust the memory nor make guessing cheap.
    if !(19 * 1024..=4 * 1024 * 1024).contains(&parameters.memory_kib) || parameters.passes < 2 {
        return Err(wrong("its parameter file asks for an absurd cost"));
    }
    let salt = STANDARD
        .decode(&parameters.salt)
        .map_err(|_| wrong("its parameter file is damaged"))?;
    let cost = Params::new(
        parameters.memory_kib,
        parameters.passes,
        parameters.lanes,
        Some(32),
    )
    .map_err(|error| VaultError::Passphrase(error.to_string()))?;
    let mut key = MasterKey::default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, cost)
        .hash_password_into(passphrase.as_bytes(), &salt, &mut *key)
        .map_err(|error| VaultError::Passphrase(error.to_string()))?;
    Ok(key)
}

/// Makes a file for its owner alone: whole or not at all, never over an existing one.
fn create_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut unique = [0u8; 8];
    let random = SystemRandom::new().fill(&mut unique);
    random.map_err(|_| std::io::Error::other("no randomness from the operating system"))?;
    let draft = path.with_extension(format!("new-{:016x}", u64::from_be_bytes(unique)));
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        // A link, unlike a rename, never replaces: whoever comes second reads the first one's key.
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        File::open(folder)?.sync_all()
    };
    let written = write();
    let _ = fs::remove_file(&draft);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/vault.key");
        let first = from_file(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(from_file(&path).unwrap(), first);
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "no draft stays behind"
        );
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        from_file(&path).unwrap();
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = from_file(&path).unwrap_err().to_string();
            assert!(error.contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn a_key_of_the_wrong_size_or_alphabet_is_refused_and_not_quoted() {
        for text in ["", "c2hvcnQ=", "!!!!", &STANDARD.encode([7u8; 33])] {
            let error = MasterKeySource::Text(Zeroizing::new(text.to_owned()))
                .master_key()
                .unwrap_err();
            let shown = error.to_string();
            assert!(shown.contains("32 bytes") && (text.is_empty() || !shown.contains(text)));
        }
        let good = Zeroizing::new(STANDARD.encode([7u8; 32]) + "\n");
        assert_eq!(
            *MasterKeySource::Text(good).master_key().unwrap(),
            [7u8; 32]
        );
    }

    #[test]
    fn eight_that_start_at_once_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8).map(|_| scope.spawn(|| from_file(&path))).collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap().unwrap())
                .collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn a_passphrase_gives_the_same_key_with_the_same_salt_only() {
        let folder = tempfile::tempdir().unwrap();
        let source = |passphrase: &str, file: &str| MasterKeySource::Passphrase {
            passphrase: Zeroizing::new(passphrase.to_owned()),
            parameters: folder.path().join(file),
        };
        let key = source("correct horse", "a").master_key().unwrap();
        assert_eq!(source("correct horse", "a").master_key().unwrap(), key);
        assert_ne!(source("correct horsf", "a").master_key().unwrap(), key);
        assert_ne!(source("correct horse", "b").master_key().unwrap(), key);
        assert!(source("", "a").master_key().is_err());
    }

    #[test]
    fn weakened_or_damaged_passphrase_parameters_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        from_passphrase("x", &path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for damaged in [
            text.replace("65536", "8"),
            text.replace("65536", "4294967295"),
            text.replace("argon2id", "none"),
            "{".to_owned(),
        ] {
            fs::write(&path, damaged).unwrap();
            assert!(matches!(
                from_passphrase("x", &path),
                Err(VaultError::Passphrase(_))
            ));
        }
    }
}
