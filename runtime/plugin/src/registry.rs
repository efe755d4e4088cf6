//! The folder of components: loaded at start, looked at again on every change, published in generations.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::folder::{SETTLE, Stamp, list, read_stable};
use crate::loader::Loader;
use crate::signature::TrustedKey;
use crate::watch::Watch;
use crate::{Component, Kind, PluginError};

/// How far instances are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Warm instances serve one call or stream after another.
    #[default]
    Pooled,
    /// A fresh store and instance for each call or stream: nothing can leak from one tenant to the next.
    PerRequest,
}

/// How components are loaded and limited.
#[derive(Debug, Clone)]
pub struct ComponentsConfig {
    /// The folder of `*.wasm` files; made if missing.
    pub dir: PathBuf,
    /// The folder for compiled components; made with mode 0700. Its key lies beside it.
    pub cache_dir: PathBuf,
    /// Only components that one of these keys has signed are loaded; empty: signatures are not looked at.
    pub trusted_keys: Vec<TrustedKey>,
    /// Isolation of all components. None: fresh instances for those that see text, warm ones for the others.
    pub isolation: Option<Isolation>,
    /// Isolation of single components, by id or file stem.
    pub isolation_of: HashMap<String, Isolation>,
    /// Whether `prepare` plans are remembered by what the guest read.
    pub memoise: bool,
    /// Bytes of a `.wasm` file.
    pub max_component_bytes: usize,
    /// Bytes of linear memory of one instance.
    pub max_memory_bytes: usize,
    /// How long one call may take. Instantiation, `configure` and `describe` may take ten times that.
    pub call_timeout: Duration,
}

/// What was loaded at one moment. Immutable; a change makes a new one.
#[derive(Debug, Default)]
pub struct Generation {
    /// Providers by manifest id.
    pub providers: BTreeMap<String, Arc<Component>>,
    /// Policies by file stem.
    pub policies: BTreeMap<String, Arc<Component>>,
    /// Files that could not be loaded, and why. The last good version of a file may be serving all the same.
    pub failed: BTreeMap<String, String>,
}

type Listener = Box<dyn Fn(Arc<Generation>) + Send + Sync>;

/// The folder of components, kept loaded. Dropping it ends the watch; components in use stay usable.
pub struct Components {
    loader: Loader,
    files: Mutex<BTreeMap<String, Entry>>,
    current: ArcSwap<Generation>,
    listeners: Mutex<Vec<Listener>>,
    watch: Mutex<Option<Watch>>,
}

/// What is known of one file.
struct Entry {
    stamp: Stamp,
    /// The last good version, in use.
    serving: Option<Arc<Component>>,
    /// Good, but its id is taken by another file.
    waiting: Option<Arc<Component>>,
    failed: Option<String>,
}

impl Components {
    /// Loads the folder and watches it from then on. Files that cannot be loaded are no error: see
    /// [`Generation::failed`].
    ///
    /// # Errors
    /// The folder or the cache cannot be used, or there is no engine.
    pub fn open(config: ComponentsConfig) -> Result<Arc<Components>, PluginError> {
        std::fs::create_dir_all(&config.dir).map_err(|error| {
            PluginError::host(format!(
                "components folder {}: {error}",
                config.dir.display()
            ))
        })?;
        let dir = config.dir.clone();
        let components = Arc::new(Self {
            loader: Loader::new(config)?,
            files: Mutex::default(),
            current: ArcSwap::default(),
            listeners: Mutex::default(),
            watch: Mutex::default(),
        });
        // Watched before the first look, so that nothing falls between.
        let watch = Watch::start(&dir, Arc::downgrade(&components))?;
        components.rescan();
        *components.watch.lock() = Some(watch);
        Ok(components)
    }

    /// What is loaded now.
    pub fn generation(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// Calls `listener` with each new generation, from the thread that made it. It must not call `rescan`. It is not
    /// called for the present generation: read that after subscribing.
    pub fn subscribe(&self, listener: Box<dyn Fn(Arc<Generation>) + Send + Sync>) {
        self.listeners.lock().push(listener);
    }

    /// Looks at the folder now and returns when what has changed is loaded and published.
    pub fn rescan(&self) {
        let mut files = self.files.lock();
        let found = match list(&self.loader.config().dir) {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(
                    "components folder {}: {error}",
                    self.loader.config().dir.display()
                );
                return;
            }
        };
        let mut changed = forget_removed(&mut files, &found);
        let news: Vec<_> = found
            .into_iter()
            .filter(|(name, stamp)| files.get(name).is_none_or(|entry| entry.stamp != *stamp))
            .collect();
        changed |= !news.is_empty();
        for (name, stamp, loaded) in self.load_all(news) {
            note(&mut files, name, stamp, loaded);
        }
        if changed {
            promote(&mut files);
            self.publish(&files);
        }
    }

    /// Loads files in parallel: compiling is what takes long.
    fn load_all(
        &self,
        names: Vec<(String, Stamp)>,
    ) -> Vec<(String, Stamp, Result<Component, PluginError>)> {
        let workers = std::thread::available_parallelism()
            .map_or(2, usize::from)
            .min(names.len());
        let queue = Mutex::new(names.into_iter());
        let done = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let next = queue.lock().next();
                        let Some((name, stamp)) = next else { break };
                        let (stamp, loaded) = self.load(&name, stamp);
                        done.lock().push((name, stamp, loaded));
                    }
                });
            }
        });
        let mut done = done.into_inner();
        done.sort_by(|one, other| one.0.cmp(&other.0));
        done
    }

    fn load(&self, name: &str, stamp: Stamp) -> (Stamp, Result<Component, PluginError>) {
        let config = self.loader.config();
        match read_stable(&config.dir.join(name), config.max_component_bytes, SETTLE) {
            Ok((stamp, bytes)) => (stamp, self.loader.load(name, &bytes)),
            Err(why) => (
                stamp,
                Err(PluginError::new(name, crate::ErrorKind::Load, why)),
            ),
        }
    }

    fn publish(&self, files: &BTreeMap<String, Entry>) {
        let mut generation = Generation::default();
        for (name, entry) in files {
            if let Some(component) = &entry.serving {
                let shelf = match component.kind() {
                    Kind::Provider => &mut generation.providers,
                    Kind::Policy => &mut generation.policies,
                };
                shelf.insert(component.id().to_owned(), Arc::clone(component));
            }
            if let Some(why) = &entry.failed {
                generation.failed.insert(name.clone(), why.clone());
            }
        }
        let generation = Arc::new(generation);
        self.current.store(Arc::clone(&generation));
        for listener in &*self.listeners.lock() {
            listener(Arc::clone(&generation));
        }
    }
}

/// Drops what is no longer in the folder; whether there was any.
fn forget_removed(files: &mut BTreeMap<String, Entry>, found: &BTreeMap<String, Stamp>) -> bool {
    let before = files.len();
    files.retain(|name, _| {
        let there = found.contains_key(name);
        if !there {
            tracing::info!(file = name, "component unloaded: its file was removed");
        }
        there
    });
    files.len() != before
}

/// Takes in what became of a new or changed file.
fn note(
    files: &mut BTreeMap<String, Entry>,
    name: String,
    stamp: Stamp,
    loaded: Result<Component, PluginError>,
) {
    let serving = files.get(&name).and_then(|entry| entry.serving.clone());
    let entry = match loaded {
        Ok(component) => Entry {
            stamp,
            serving,
            waiting: Some(Arc::new(component)),
            failed: None,
        },
        Err(error) => {
            match &serving {
                Some(last) => tracing::warn!(
                    file = name,
                    "component not loaded; the last good version ({}) serves on: {}",
                    &last.digest()[..12],
                    error.message
                ),
                None => tracing::warn!(file = name, "component not loaded: {}", error.message),
            }
            Entry {
                stamp,
                serving,
                waiting: None,
                failed: Some(error.message),
            }
        }
    };
    files.insert(name, entry);
}

/// Puts good versions into service, in the order of their names, where no other file serves their id.
fn promote(files: &mut BTreeMap<String, Entry>) {
    let names: Vec<_> = files.keys().cloned().collect();
    let mut again = true;
    while std::mem::take(&mut again) {
        for name in &names {
            let Some(next) = files.get(name).and_then(|entry| entry.waiting.clone()) else {
                continue;
            };
            let taken_by = files
                .iter()
                .find(|(other, entry)| {
                    *other != name
                        && entry
                            .serving
                            .as_ref()
                            .is_some_and(|one| same_id(one, &next))
                })
                .map(|(other, _)| other.clone());
            let Some(entry) = files.get_mut(name) else {
                continue;
            };
            match taken_by {
                None => {
                    tracing::info!(
                        file = name,
                        id = next.id(),
                        digest = &next.digest()[..12],
                        "component loaded"
                    );
                    entry.serving = Some(next);
                    entry.waiting = None;
                    entry.failed = None;
                    // An id may have become free.
                    again = true;
                }
                Some(other) => {
                    let why = format!(
                        "has the provider id `{}`, which {other} serves already",
                        next.id()
                    );
                    if entry.failed.as_ref() != Some(&why) {
                        tracing::warn!(file = name, "component not loaded: {why}");
                    }
                    entry.failed = Some(why);
                }
            }
        }
    }
}

fn same_id(one: &Component, other: &Component) -> bool {
    one.kind() == other.kind() && one.id() == other.id()
}
