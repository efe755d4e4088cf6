//! The operator's management token: a keyed hash in the store, the token itself in a file of the data directory.

use ring::hmac;
use tollgate_governance::{Directory, Random, Secret, TokenKind};
use tollgate_store::{Store, Table, Write, audit};

use super::audit::{Act, Actor, alone};
use super::data_dir::{DataDir, read_secret, write_secret};
use super::error::StartError;

/// Where the store keeps the hash: a random salt, then the HMAC-SHA-256 of the token under it. The token has 256
/// random bits, so a fast hash is enough.
const RECORD: &[u8] = b"management-token";
const SALT: usize = 32;

/// Knows the management token when it sees it.
pub(super) struct Gate {
    key: hmac::Key,
    tag: Vec<u8>,
}

impl Gate {
    /// Compares in constant time.
    pub(super) fn admits(&self, token: &str) -> bool {
        hmac::verify(&self.key, token.as_bytes(), &self.tag).is_ok()
    }

    fn read(record: &[u8]) -> Option<Self> {
        let (salt, tag) = record.split_at_checked(SALT)?;
        (tag.len() == 32).then(|| Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, salt),
            tag: tag.to_vec(),
        })
    }
}

/// Reads the token's hash, or makes a token where there is none yet or `anew` asks for it. Says whether it made one.
///
/// A missing file beside a stored hash is fine: the operator keeps the token elsewhere.
pub(super) fn open(
    store: &dyn Store,
    data: &DataDir,
    random: &mut dyn Random,
    anew: bool,
) -> Result<(Gate, bool), StartError> {
    let fail = |reason: String| StartError::Store {
        path: data.store(),
        reason,
    };
    let found = store
        .get(Table::Meta, RECORD)
        .map_err(|error| fail(error.to_string()))?;
    let act = match found {
        Some(_) => Act::new("management-token.rotate").by(Actor::CommandLine),
        None => Act::new("management-token.create").by(Actor::Gateway),
    };
    if let Some(record) = found
        && !anew
    {
        let gate = Gate::read(&record)
            .ok_or_else(|| fail("the record of the management token is damaged".to_owned()))?;
        if read_secret(&data.management_token())?.is_some_and(|token| !gate.admits(&token)) {
            tracing::warn!(
                file = %data.management_token().display(),
                "the file does not hold the management token; `tollgate init --new-token` makes a new one"
            );
        }
        return Ok((gate, false));
    }
    let token: Secret = TokenKind::Management.mint(random);
    let mut record = vec![0; SALT];
    random.fill(&mut record);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &record);
    record.extend_from_slice(hmac::sign(&key, token.expose().as_bytes()).as_ref());
    // The file first: a token that nobody can read would lock the operator out.
    write_secret(&data.management_token(), token.expose())?;
    let act = act.about("management-token", "");
    alone(store, act, &Directory::default(), &[])
        .and_then(|entry| {
            let hash = Write {
                table: Table::Meta,
                key: RECORD.to_vec(),
                value: Some(record.clone()),
            };
            store.apply(&[hash, audit::write(&entry)])
        })
        .map_err(|error| fail(error.to_string()))?;
    let gate = Gate::read(&record)
        .ok_or_else(|| fail("the management token could not be made".to_owned()))?;
    Ok((gate, true))
}

#[cfg(test)]
mod tests {
    use tollgate_governance::OsRandom;
    use tollgate_store::MemoryStore;

    use super::*;

    fn token(data: &DataDir) -> String {
        read_secret(&data.management_token()).unwrap().unwrap()
    }

    #[test]
    fn the_token_survives_a_restart_and_only_it_is_admitted() {
        let dir = tempfile::tempdir().unwrap();
        let (data, store) = (DataDir::at(dir.path()), MemoryStore::default());
        let (gate, made) = open(&store, &data, &mut OsRandom::new(), false).unwrap();
        let first = token(&data);
        assert!(made && gate.admits(&first) && !gate.admits("") && !gate.admits(&first[1..]));
        let (gate, made) = open(&store, &data, &mut OsRandom::new(), false).unwrap();
        assert!(!made && gate.admits(&first));
        let record = store.get(Table::Meta, RECORD).unwrap().unwrap();
        assert!(
            !record
                .windows(first.len())
                .any(|part| part == first.as_bytes()),
            "the store holds no token"
        );
    }

    #[test]
    fn a_new_token_ends_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let (data, store) = (DataDir::at(dir.path()), MemoryStore::default());
        open(&store, &data, &mut OsRandom::new(), false).unwrap();
        let old = token(&data);
        let (gate, made) = open(&store, &data, &mut OsRandom::new(), true).unwrap();
        assert!(made && !gate.admits(&old) && gate.admits(&token(&data)));
    }

    #[test]
    fn a_token_kept_elsewhere_stays_valid() {
        let dir = tempfile::tempdir().unwrap();
        let (data, store) = (DataDir::at(dir.path()), MemoryStore::default());
        open(&store, &data, &mut OsRandom::new(), false).unwrap();
        let elsewhere = token(&data);
        std::fs::remove_file(data.management_token()).unwrap();
        let (gate, made) = open(&store, &data, &mut OsRandom::new(), false).unwrap();
        assert!(!made && gate.admits(&elsewhere) && !data.management_token().exists());
    }

    #[test]
    fn a_damaged_record_stops_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let (data, store) = (DataDir::at(dir.path()), MemoryStore::default());
        store.put(Table::Meta, RECORD, b"short").unwrap();
        assert!(open(&store, &data, &mut OsRandom::new(), false).is_err());
    }
}
