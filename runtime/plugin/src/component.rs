//! One loaded component: compiled, checked, and ready to be configured.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::cache::{Cache, sha256_hex};
use crate::check::{Outside, check};
use crate::engine::Host;
use crate::instance::{Instance, Template};
use crate::manifest::Manifest;
use crate::selftest;
use crate::signature;
use crate::state::Lent;
use crate::{
    ComponentsConfig, Configured, ErrorKind, Interface, Isolation, Kind, PluginError, abi,
};

/// A component that was compiled, checked and can be called. It stays usable as long as somebody holds it, whatever
/// happens to its file.
pub struct Component {
    id: String,
    file: String,
    digest: String,
    outside: Outside,
    manifest: Option<Manifest>,
    template: Arc<Template>,
    isolation: Isolation,
    memoise: bool,
    /// Those in use, so that the same configuration shares instances and remembered plans.
    configured: Mutex<HashMap<String, Weak<Configured>>>,
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Component")
            .field("id", &self.id)
            .field("file", &self.file)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Component {
    /// Checks, compiles and tries a component.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub(crate) fn load(
        host: &Arc<Host>,
        cache: &Cache,
        config: &ComponentsConfig,
        file: &str,
        bytes: &[u8],
    ) -> Result<Self, PluginError> {
        let stem = file.strip_suffix(".wasm").unwrap_or(file);
        let refuse = |why: String| PluginError::new(stem, ErrorKind::Load, why);
        // Before anything of it is parsed.
        signature::check(bytes, &config.trusted_keys).map_err(refuse)?;
        let outside = check(bytes, config.max_component_bytes).map_err(refuse)?;
        let digest = sha256_hex(bytes);
        let compiled = cache
            .load(host.engine(), &digest, bytes)
            .map_err(|error| refuse(format!("does not compile: {error:#}")))?;
        let pre = host
            .link(&compiled, outside.wasi)
            .map_err(|error| refuse(format!("cannot be linked: {error:#}")))?;
        let bound = abi::bind(&outside.version, &pre, &outside.exports).map_err(|error| {
            refuse(format!(
                "does not export what its version promises: {error:#}"
            ))
        })?;
        let mut template = Template {
            host: Arc::clone(host),
            component: stem.into(),
            pre,
            bound,
            wasi: outside.wasi,
        };
        let trial = Trial::run(&template, &outside)?;
        let id = match &trial.manifest {
            Some(manifest) => manifest.id.clone(),
            None => stem.to_owned(),
        };
        // From here on it is called by its id, in errors and in the log.
        template.component = id.as_str().into();
        let isolation = [id.as_str(), stem]
            .iter()
            .find_map(|name| config.isolation_of.get(*name).copied())
            .or(config.isolation)
            .unwrap_or_else(|| by_what_it_sees(&outside.exports));
        Ok(Self {
            id,
            file: file.to_owned(),
            digest,
            memoise: config.memoise && outside.pure,
            outside,
            manifest: trial.manifest,
            template: Arc::new(template),
            isolation,
            configured: Mutex::default(),
        })
    }

    /// The manifest's id for a provider, the file's stem for a policy.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// SHA-256 of the file, in lower-case hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The file's name in the components folder.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Provider or policy.
    pub fn kind(&self) -> Kind {
        self.outside.kind
    }

    /// The version of `tollgate:extension` it was built for.
    pub fn wit_version(&self) -> &str {
        &self.outside.version
    }

    /// The manifest, if it is a provider.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Whether it exports the interface.
    pub fn exports(&self, interface: Interface) -> bool {
        self.outside.exports.contains(&interface)
    }

    /// The interfaces it exports.
    pub fn interfaces(&self) -> &[Interface] {
        &self.outside.exports
    }

    /// How its instances are kept apart.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// The component with the operator's configuration (JSON text; `{}` if none), checked on a trial instance. The
    /// same text gives the same `Configured` while one is in use. Makes an instance:
    /// not for the hot path.
    ///
    /// A version that was configured before stays usable as long as somebody holds what it gave: whoever asks a new version
    /// in vain keeps that.
    ///
    /// # Errors
    /// `Refused` with the component's own sentence if it does not accept the configuration, or a sentence of the host
    /// if the text is no JSON or the component takes no configuration; the kinds of a failed call otherwise.
    pub fn configured(self: &Arc<Self>, config_json: &str) -> Result<Arc<Configured>, PluginError> {
        let config = self.checked_config(config_json)?;
        let known = self
            .configured
            .lock()
            .get(config_json)
            .and_then(Weak::upgrade);
        if let Some(known) = known {
            return Ok(known);
        }
        let fresh = Arc::new(Configured::new(
            Arc::clone(self),
            Arc::clone(&self.template),
            config,
        )?);
        let mut all = self.configured.lock();
        all.retain(|_, weak| weak.strong_count() > 0);
        all.insert(config_json.to_owned(), Arc::downgrade(&fresh));
        Ok(fresh)
    }

    pub(crate) fn memoises(&self) -> bool {
        self.memoise
    }

    /// The text for `configure`, or `None` if the component has no such function.
    fn checked_config(&self, json: &str) -> Result<Option<String>, PluginError> {
        let refuse = |why: String| PluginError::new(self.id.as_str(), ErrorKind::Refused, why);
        let value: serde_json::Value = serde_json::from_str(json)
            .map_err(|error| refuse(format!("the configuration is no JSON: {error}")))?;
        if self.exports(Interface::Configuration) {
            return Ok(Some(json.to_owned()));
        }
        let empty = match &value {
            serde_json::Value::Null => true,
            serde_json::Value::Object(members) => members.is_empty(),
            _ => false,
        };
        match empty {
            true => Ok(None),
            false => Err(refuse("takes no configuration, but one was given".into())),
        }
    }
}

/// What stays behind in an instance that sees text may be another tenant's.
fn by_what_it_sees(exports: &[Interface]) -> Isolation {
    const SEEING: [Interface; 4] = [
        Interface::Content,
        Interface::AnswerContent,
        Interface::Translation,
        Interface::Responder,
    ];
    match SEEING.iter().any(|interface| exports.contains(interface)) {
        true => Isolation::PerRequest,
        false => Isolation::Pooled,
    }
}

/// What a first instance told: that it can be made, and for a provider its manifest.
struct Trial {
    manifest: Option<Manifest>,
}

impl Trial {
    fn run(template: &Template, outside: &Outside) -> Result<Self, PluginError> {
        let mut instance = template.instantiate(true)?;
        let configured = match outside.exports.contains(&Interface::Configuration) {
            // A component may need more than nothing. Then it is tried with what the operator gives it.
            true => instance
                .setup_call(template, Lent::default(), |calls, store| {
                    calls.configure(store, "{}")
                })?
                .is_ok(),
            false => true,
        };
        if outside.kind == Kind::Policy {
            return Ok(Self { manifest: None });
        }
        let manifest = describe(&mut instance, template)?;
        if configured {
            selftest::prepare(&mut instance, template, &manifest)?;
        }
        Ok(Self {
            manifest: Some(manifest),
        })
    }
}

fn describe(instance: &mut Instance, template: &Template) -> Result<Manifest, PluginError> {
    let json = instance.setup_call(template, Lent::default(), |calls, store| {
        calls.describe(store)
    })?;
    Manifest::parse(&json)
        .map_err(|why| PluginError::new(&*template.component, ErrorKind::BadAnswer, why))
}
