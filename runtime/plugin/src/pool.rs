//! Instances of one configured component: warm ones that are lent out, or a fresh one each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use crate::abi::{Calls, Reply};
use crate::guard::Guard;
use crate::instance::{Instance, Template};
use crate::limits::IDLE_A_SHARD;
use crate::shard::Sharded;
use crate::state::{Lent, State};
use crate::{ErrorKind, Isolation, PluginError};

/// Where calls get their instance. An instance in use belongs to its call or stream alone; if that panics, the
/// instance goes down with it and is not seen again.
pub(crate) struct Pool {
    template: Arc<Template>,
    /// The operator's configuration, if the component takes one.
    config: Option<String>,
    /// `None`: a fresh instance for each call or stream.
    idle: Option<Sharded<Vec<Instance>>>,
    guard: Guard,
    instantiated: AtomicU64,
}

impl Pool {
    pub(crate) fn new(
        template: Arc<Template>,
        config: Option<String>,
        isolation: Isolation,
    ) -> Arc<Self> {
        let idle = match isolation {
            Isolation::Pooled => Some(Sharded::new(Vec::new)),
            Isolation::PerRequest => None,
        };
        Arc::new(Self {
            template,
            config,
            idle,
            guard: Guard::new(),
            instantiated: AtomicU64::new(0),
        })
    }

    pub(crate) fn template(&self) -> &Template {
        &self.template
    }

    /// Runs one call on an instance and gives it back if it is sound afterwards.
    pub(crate) fn with<R>(
        &self,
        run: impl FnOnce(&mut Instance, &Template) -> Result<R, PluginError>,
    ) -> Result<R, PluginError> {
        self.guarded(|| {
            let mut instance = self.take()?;
            let result = run(&mut instance, &self.template);
            self.give(instance);
            result
        })
    }

    /// An instance of one's own for the length of a stream, after a first call on it.
    pub(crate) fn open<R>(
        &self,
        lent: Lent,
        run: impl FnOnce(&mut dyn Calls, &mut Store<State>) -> Reply<R>,
    ) -> Result<(Instance, R), PluginError> {
        self.guarded(|| {
            let mut instance = self.take()?;
            let answer = instance.call(&self.template, lent, run)?;
            Ok((instance, answer))
        })
    }

    /// A further call on an instance of one's own.
    pub(crate) fn step<R>(
        &self,
        instance: &mut Instance,
        lent: Lent,
        run: impl FnOnce(&mut dyn Calls, &mut Store<State>) -> Reply<R>,
    ) -> Result<R, PluginError> {
        self.guarded(|| instance.call(&self.template, lent, run))
    }

    /// Drops a resource of the guest's: its destructor is guest code, and is guarded like all of it. What fails in it
    /// leaves the instance unsound.
    pub(crate) fn drop_resource(&self, instance: &mut Instance, resource: ResourceAny) {
        let dropped = self.guarded(|| instance.drop_resource(&self.template, resource));
        if let Err(error) = dropped {
            instance.discard();
            tracing::debug!("{error}");
        }
    }

    /// Calls nothing of a component that times out again and again.
    fn guarded<R>(&self, run: impl FnOnce() -> Result<R, PluginError>) -> Result<R, PluginError> {
        let component = &*self.template.component;
        self.guard.enter(component)?;
        let result = run();
        self.guard
            .note(component, result.as_ref().err().map(|error| error.kind));
        result
    }

    /// An instance of one's own, configured and ready.
    fn take(&self) -> Result<Instance, PluginError> {
        if let Some(idle) = &self.idle
            && let Some(instance) = idle.mine().lock().pop()
        {
            return Ok(instance);
        }
        self.fresh(false)
    }

    /// Takes an instance back, to be kept if it is sound, not worn out and there is room.
    pub(crate) fn give(&self, instance: Instance) {
        let Some(idle) = &self.idle else { return };
        if !instance.reusable() {
            return;
        }
        let surplus = {
            let mut idle = idle.mine().lock();
            match idle.len() < IDLE_A_SHARD {
                true => {
                    idle.push(instance);
                    None
                }
                false => Some(instance),
            }
        };
        // Dropped outside the lock: it unmaps memory.
        drop(surplus);
    }

    /// A new instance, configured. With `all`, every exported interface is checked first.
    pub(crate) fn fresh(&self, all: bool) -> Result<Instance, PluginError> {
        let template = &*self.template;
        let mut instance = template.instantiate(all)?;
        self.instantiated.fetch_add(1, Ordering::Relaxed);
        if let Some(config) = &self.config {
            instance
                .setup_call(template, Lent::default(), |calls, store| {
                    calls.configure(store, config)
                })?
                .map_err(|why| PluginError::new(&*template.component, ErrorKind::Refused, why))?;
        }
        Ok(instance)
    }

    /// How many instances were ever made.
    pub(crate) fn instantiated(&self) -> u64 {
        self.instantiated.load(Ordering::Relaxed)
    }

    /// How many warm instances are idle now.
    pub(crate) fn idle(&self) -> usize {
        let Some(idle) = &self.idle else { return 0 };
        idle.all().map(|shard| shard.lock().len()).sum()
    }
}
