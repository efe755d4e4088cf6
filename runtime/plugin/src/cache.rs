//! Compiled components on disk. A compiled component is native code, so nothing is loaded that we did not write.
//!
//! A file's name is the SHA-256 of the component and of the engine's full compatibility hash: other bytes, another
//! patch release of the engine or another setting never meet. Beside it lies an HMAC, keyed with a secret of this
//! installation, over name and content. The folder is the owner's alone. What does not agree is compiled again.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ring::{digest, hmac, rand};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::PluginError;
use crate::engine::{compatibility, hex};

/// Compiled files not used for this long are removed.
const STALE: Duration = Duration::from_secs(30 * 24 * 3600);
const KEY_FILE: &str = "component-cache.key";
const KEY_BYTES: usize = 32;

/// The folder of compiled components.
pub(crate) struct Cache {
    dir: PathBuf,
    key: hmac::Key,
    engine_hash: String,
}

impl Cache {
    /// Opens the folder, making it and the key where they are missing.
    pub(crate) fn open(dir: &Path, engine: &Engine) -> Result<Self, PluginError> {
        let failed = |what: &str, error: std::io::Error| {
            PluginError::host(format!(
                "component cache {}: {what}: {error}",
                dir.display()
            ))
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|error| failed("cannot be made", error))?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
            .map_err(|error| failed("cannot be made private", error))?;
        let parent = match dir.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let key =
            read_or_make_key(&parent.join(KEY_FILE)).map_err(|error| failed("no key", error))?;
        check_owner(dir).map_err(|error| failed("not ours", error))?;
        let cache = Self {
            dir: dir.to_owned(),
            key,
            engine_hash: compatibility(engine),
        };
        cache.sweep();
        Ok(cache)
    }

    /// The compiled component for these bytes: mapped if we compiled it before, else compiled now.
    ///
    /// # Errors
    /// The engine's words where the bytes do not compile.
    pub(crate) fn load(
        &self,
        engine: &Engine,
        digest: &str,
        bytes: &[u8],
    ) -> wasmtime::Result<Component> {
        let name = self.name(digest);
        if let Some(component) = self.recall(engine, &name) {
            return Ok(component);
        }
        let compiled = engine.precompile_component(bytes)?;
        if let Err(error) = self.store(&name, &compiled) {
            tracing::warn!("component cache: cannot store {name}: {error}");
            return Component::new(engine, bytes);
        }
        match self.recall(engine, &name) {
            Some(component) => Ok(component),
            None => Component::new(engine, bytes),
        }
    }

    fn name(&self, digest: &str) -> String {
        format!("{digest}-{}.cwasm", self.engine_hash)
    }

    /// Maps a file that is ours, unchanged since we wrote it.
    fn recall(&self, engine: &Engine, name: &str) -> Option<Component> {
        let path = self.dir.join(name);
        let tag = fs::read(mac_path(&path)).ok()?;
        let content = match read_private(&path) {
            Ok(content) => content,
            Err(error) => {
                tracing::warn!(
                    "component cache: {} is compiled again: {error}",
                    path.display()
                );
                return None;
            }
        };
        if hmac::verify(&self.key, &self.message(name, &content), &tag).is_err() {
            tracing::warn!(
                "component cache: {} was changed by somebody else; it is compiled again",
                path.display()
            );
            return None;
        }
        drop(content);
        let component = map_verified(engine, &path);
        if let Err(error) = &component {
            tracing::warn!(
                "component cache: {} is compiled again: {error:#}",
                path.display()
            );
        }
        component.ok()
    }

    /// Writes content and tag so that a reader never meets half of either.
    fn store(&self, name: &str, content: &[u8]) -> std::io::Result<()> {
        let path = self.dir.join(name);
        let tag = hmac::sign(&self.key, &self.message(name, content));
        write_private(&path, content)?;
        write_private(&mac_path(&path), tag.as_ref())?;
        File::open(&self.dir)?.sync_all()
    }

    /// What the tag covers: the name and a hash of the content, so a file cannot stand in for another.
    fn message(&self, name: &str, content: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(name.len() + 64);
        message.extend_from_slice(b"tollgate compiled component\0");
        message.extend_from_slice(name.as_bytes());
        message.push(0);
        message.extend_from_slice(digest::digest(&digest::SHA256, content).as_ref());
        message
    }

    /// Removes what no engine will use again and what a crash left behind.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return;
        };
        let suffix = format!("-{}.cwasm", self.engine_hash);
        let now = SystemTime::now();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let ours = name.ends_with(&suffix) || name.ends_with(&format!("{suffix}.mac"));
            let age = entry
                .metadata()
                .and_then(|meta| meta.accessed().or_else(|_| meta.modified()))
                .ok()
                .and_then(|used| now.duration_since(used).ok())
                .unwrap_or_default();
            let left_behind = name.ends_with(".new") && age > Duration::from_secs(3600);
            let known = name.ends_with(".cwasm") || name.ends_with(".mac");
            if left_behind
                || (known && (!ours && age > Duration::from_secs(24 * 3600) || age > STALE))
            {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Maps a compiled component whose tag was just verified.
#[expect(
    unsafe_code,
    reason = "the one place where native code is loaded; see the safety comment"
)]
fn map_verified(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file must hold what `Engine::precompile_component` made for a compatible engine, and must not change
    // while it is mapped. `recall` has just verified an HMAC over its name and content that only this installation's
    // key can make, and `store` makes it over the compiler's output alone. The name holds the engine's full
    // compatibility hash. The file has mode 0600 in a folder of mode 0700 owned by this user (both checked), so nobody
    // else can change it between the verification and the mapping or after; we ourselves only ever replace it by
    // renaming, which leaves a mapped file as it is.
    unsafe { Component::deserialize_file(engine, path) }
}

fn mac_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".mac");
    name.into()
}

/// Reads a file that nobody else can have written.
fn read_private(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.mode() & 0o077 != 0 {
        return Err(std::io::Error::other(
            "it is not private to its owner (mode 0600)",
        ));
    }
    let mut content = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or_default());
    file.read_to_end(&mut content)?;
    Ok(content)
}

/// Temporary file, fsync, rename.
fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(
        ".{}-{:?}.new",
        std::process::id(),
        std::thread::current().id()
    ));
    let temporary = PathBuf::from(name);
    let written = (|| {
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// The folder must belong to the user we run as: that of a file we make in it.
fn check_owner(dir: &Path) -> std::io::Result<()> {
    let probe = dir.join(format!(
        ".probe-{}-{:?}.new",
        std::process::id(),
        std::thread::current().id()
    ));
    write_private(&probe, b"")?;
    let ours = fs::metadata(&probe)?.uid();
    fs::remove_file(&probe)?;
    let meta = fs::symlink_metadata(dir)?;
    if !meta.is_dir() || meta.uid() != ours || meta.mode() & 0o077 != 0 {
        return Err(std::io::Error::other(
            "it must be a folder of the user that runs this, with mode 0700",
        ));
    }
    Ok(())
}

fn read_or_make_key(path: &Path) -> std::io::Result<hmac::Key> {
    if !path.exists() {
        let mut secret = [0_u8; KEY_BYTES];
        rand::SecureRandom::fill(&rand::SystemRandom::new(), &mut secret)
            .map_err(|_| std::io::Error::other("no randomness"))?;
        write_private(path, &secret)?;
    }
    let secret = read_private(path)?;
    if secret.len() != KEY_BYTES {
        return Err(std::io::Error::other(format!(
            "{} is damaged; remove it",
            path.display()
        )));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &secret))
}

/// SHA-256 of a component's bytes, in lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Host;
    use crate::limits::Limits;

    fn component() -> Vec<u8> {
        wat::parse_str("(component (core module (func (export \"f\"))))").unwrap()
    }

    fn cached(dir: &Path) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    }

    #[test]
    fn a_changed_file_is_compiled_again_and_never_loaded() {
        let host = Host::new(Limits::new(1 << 20, Duration::from_millis(50))).unwrap();
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("cache");
        let cache = Cache::open(&dir, host.engine()).unwrap();
        let bytes = component();
        let digest = sha256_hex(&bytes);
        cache.load(host.engine(), &digest, &bytes).unwrap();
        let files = cached(&dir);
        assert_eq!(files.len(), 2, "{files:?}");
        let compiled = files
            .iter()
            .find(|path| path.extension().unwrap() == "cwasm")
            .unwrap();
        let name = cache.name(&digest);
        assert!(cache.recall(host.engine(), &name).is_some());
        let good = fs::read(compiled).unwrap();

        // One flipped bit; a file of another name; a tag of another key; a file that others may write.
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(compiled, &bad).unwrap();
        assert!(cache.recall(host.engine(), &name).is_none());
        cache.load(host.engine(), &digest, &bytes).unwrap();
        assert_eq!(fs::read(compiled).unwrap(), good, "written anew");

        let other = cache.name(&sha256_hex(b"another component"));
        write_private(&dir.join(&other), &good).unwrap();
        fs::copy(mac_path(compiled), mac_path(&dir.join(&other))).unwrap();
        assert!(cache.recall(host.engine(), &other).is_none());

        fs::set_permissions(compiled, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(cache.recall(host.engine(), &name).is_none());
        cache.load(host.engine(), &digest, &bytes).unwrap();
        assert!(cache.recall(host.engine(), &name).is_some());

        fs::remove_file(home.path().join(KEY_FILE)).unwrap();
        let another_key = Cache::open(&dir, host.engine()).unwrap();
        assert!(another_key.recall(host.engine(), &name).is_none());
    }

    #[test]
    fn folder_and_files_are_private() {
        let host = Host::new(Limits::new(1 << 20, Duration::from_millis(50))).unwrap();
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("cache");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        let cache = Cache::open(&dir, host.engine()).unwrap();
        let bytes = component();
        cache
            .load(host.engine(), &sha256_hex(&bytes), &bytes)
            .unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        assert_eq!(
            fs::metadata(home.path().join(KEY_FILE)).unwrap().mode() & 0o777,
            0o600
        );
        for file in cached(&dir) {
            assert_eq!(
                fs::metadata(&file).unwrap().mode() & 0o777,
                0o600,
                "{file:?}"
            );
        }
    }
}
