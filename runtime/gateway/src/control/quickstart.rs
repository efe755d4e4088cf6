//! `serve --quickstart`: a key that works at once, and an upstream that answers without any vendor.

use std::path::PathBuf;

use tollgate_dialect::Operation;
use tollgate_governance::{KeyDraft, OsRandom, UpstreamDraft};

use super::audit::{Act, Actor};
use super::data_dir::{read_secret, write_secret};
use super::error::{ControlError, StartError};
use super::{Control, State, now_ms};

/// The bundled provider that answers by itself.
const ECHO: &str = "echo";
/// What the key is called in lists.
const LABEL: &str = "quickstart";

/// What a person needs for a first request.
pub struct Quickstart {
    key: String,
    /// Where the management token is.
    pub token_file: PathBuf,
    /// Models that can be asked for.
    pub models: Vec<QuickstartModel>,
}

/// A model that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuickstartModel {
    /// What clients call it.
    pub name: String,
    /// Whether its vendor speaks Messages itself.
    pub speaks_messages: bool,
    /// Whether a component answers by itself: trying it out costs nothing.
    pub answers_itself: bool,
}

impl Quickstart {
    /// The inference key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl From<StartError> for ControlError {
    fn from(error: StartError) -> Self {
        Self::internal(error)
    }
}

impl Control {
    /// Finds or makes the quickstart key, and registers the echo provider where there is no upstream at all.
    ///
    /// # Errors
    /// The key's file is open to others or cannot be written.
    pub fn quickstart(&self) -> Result<Quickstart, ControlError> {
        let key = {
            let mut state = self.state.lock();
            self.quickstart_key(&mut state)?
        };
        let none = self.state.lock().directory.upstreams().next().is_none();
        if none {
            let draft = UpstreamDraft {
                provider: ECHO.to_owned(),
                ..UpstreamDraft::default()
            };
            // Without its component the gateway still starts: a drop-in or an upstream can come later.
            if let Err(error) = self.set_upstream_as(Actor::CommandLine, ECHO, draft) {
                tracing::warn!(%error, "no echo upstream");
            }
        }
        let snapshot = self.snapshot.load();
        let models = snapshot.cards.keys().map(|name| {
            let routes = snapshot.routes(name, Operation::Messages);
            let best = routes.first();
            QuickstartModel {
                name: name.to_string(),
                speaks_messages: best
                    .is_some_and(|route| route.spoken(Operation::Messages) == Operation::Messages),
                answers_itself: best.is_some_and(|route| route.upstream.responds),
            }
        });
        let models = models.collect();
        Ok(Quickstart {
            key,
            token_file: self.data.management_token(),
            models,
        })
    }

    fn quickstart_key(&self, state: &mut State) -> Result<String, ControlError> {
        let file = self.data.quickstart_key();
        if let Some(key) = read_secret(&file)?
            && state
                .directory
                .snapshot()
                .find(&self.hasher.mac(&key))
                .is_some_and(|caller| caller.is_valid_at(now_ms()))
        {
            return Ok(key);
        }
        let draft = KeyDraft {
            account: "root".to_owned(),
            label: LABEL.to_owned(),
            ..KeyDraft::default()
        };
        let (new, changes) =
            state
                .directory
                .create_key(draft, &self.hasher, now_ms(), &mut OsRandom::new())?;
        // The file first: if the process dies in between, the next start finds a key that nobody knows and makes a
        // new one. The other way round a working key would be lost.
        write_secret(&file, new.token.expose())?;
        let act = Act::new("key.create").by(Actor::CommandLine);
        self.commit(state, act, &changes)?.confirmed()?;
        Ok(new.token.expose().to_owned())
    }
}
