//! One instance of a component: a store with its limits, and calls that leave it either sound or thrown away.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::InstancePre;
use wasmtime::{Store, Trap};

use crate::abi::{Bound, Calls, Fault, Reply};
use crate::engine::Host;
use crate::limits::{Allowance, BYTES_A_TIME, CALLS_A_LIFE, HANDLES};
use crate::state::{Lent, State};
use crate::{ErrorKind, PluginError};

/// What every instance of a component is made from.
pub(crate) struct Template {
    pub(crate) host: Arc<Host>,
    pub(crate) component: Arc<str>,
    pub(crate) pre: InstancePre<State>,
    pub(crate) bound: Box<dyn Bound>,
    pub(crate) wasi: bool,
}

/// One instance. `sound` is cleared before each call and set after its success, so whatever happens in between, a
/// trap or a panic, leaves an instance that is not used again.
pub(crate) struct Instance {
    store: Store<State>,
    calls: Box<dyn Calls>,
    made: u64,
    sound: bool,
    /// Of a call that is handed little.
    allowance: Allowance,
    grown_limit: usize,
}

impl Template {
    /// A fresh instance. With `all`, every exported interface is checked against its declaration.
    pub(crate) fn instantiate(&self, all: bool) -> Result<Instance, PluginError> {
        let limits = self.host.limits();
        let state = State::new(Arc::clone(&self.component), limits.memory, self.wasi);
        let mut store = Store::new(self.host.engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(self.host.hostcall_bytes());
        store.set_max_component_handles(HANDLES);
        store.epoch_deadline_callback(|mut store| Ok(store.data_mut().deadline.reached()));
        let setup = limits.of_setup();
        start_time(&mut store, setup.ticks, limits.tick);
        let instance = match self.pre.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) => return Err(self.explain(&store, setup, &error)),
        };
        match self.bound.load(&mut store, instance, all) {
            Ok(calls) => Ok(Instance {
                grown_limit: store
                    .data()
                    .limiter
                    .used()
                    .saturating_add(limits.memory / 4),
                store,
                calls,
                made: 0,
                sound: true,
                allowance: limits.of_call(0),
            }),
            Err(error) => Err(PluginError::new(
                &*self.component,
                ErrorKind::Load,
                format!("{error:#}"),
            )),
        }
    }

    /// What an engine's error says about the guest.
    fn explain(
        &self,
        store: &Store<State>,
        allowed: Allowance,
        error: &wasmtime::Error,
    ) -> PluginError {
        let limiter = &store.data().limiter;
        let of = |kind, message: String| PluginError::new(&*self.component, kind, message);
        let blame = |kind| match allowed.large {
            true => ErrorKind::TooLarge,
            false => kind,
        };
        if error.is::<wasmtime::PoolConcurrencyLimitError>() {
            return of(
                ErrorKind::Busy,
                "no free instance slot: too many calls and streams at once".into(),
            );
        }
        if matches!(error.downcast_ref::<Trap>(), Some(Trap::Interrupt)) {
            let time = allowed.time.as_millis();
            return of(
                blame(ErrorKind::Timeout),
                format!("ran longer than a call may ({time} ms) and was stopped"),
            );
        }
        if limiter.denied() {
            return of(
                blame(ErrorKind::Memory),
                format!(
                    "wanted more memory than its {} bytes and failed: {}",
                    limiter.limit(),
                    short(error)
                ),
            );
        }
        of(ErrorKind::Trap, format!("trapped: {}", short(error)))
    }
}

/// Gives the guest its time. Needed before every entry: a passed deadline ends the next call at once.
fn start_time(store: &mut Store<State>, ticks: u64, tick: Duration) {
    let first = store.data_mut().deadline.start(ticks, tick);
    store.set_epoch_deadline(first);
}

/// The innermost cause in one line: the outer layers only name wasmtime's own frames.
fn short(error: &wasmtime::Error) -> String {
    let root = error.root_cause().to_string();
    let line = root.lines().next().unwrap_or_default();
    line.trim_start_matches("wasm trap: ")
        .chars()
        .take(300)
        .collect()
}

impl Instance {
    /// Lends, calls, takes back. Any failure leaves the instance unsound.
    pub(crate) fn call<R>(
        &mut self,
        template: &Template,
        lent: Lent,
        run: impl FnOnce(&mut dyn Calls, &mut Store<State>) -> Reply<R>,
    ) -> Result<R, PluginError> {
        let allowed = match lent.bytes {
            ..BYTES_A_TIME => self.allowance,
            bytes => template.host.limits().of_call(bytes),
        };
        self.timed_call(template, allowed, lent, run)
    }

    /// As `call`, with the time of what happens once in an instance's life.
    pub(crate) fn setup_call<R>(
        &mut self,
        template: &Template,
        lent: Lent,
        run: impl FnOnce(&mut dyn Calls, &mut Store<State>) -> Reply<R>,
    ) -> Result<R, PluginError> {
        self.timed_call(template, template.host.limits().of_setup(), lent, run)
    }

    fn timed_call<R>(
        &mut self,
        template: &Template,
        allowed: Allowance,
        lent: Lent,
        run: impl FnOnce(&mut dyn Calls, &mut Store<State>) -> Reply<R>,
    ) -> Result<R, PluginError> {
        self.sound = false;
        self.made += 1;
        start_time(&mut self.store, allowed.ticks, template.host.limits().tick);
        self.store.data_mut().begin(lent);
        let reply = run(&mut *self.calls, &mut self.store);
        self.store.data_mut().end();
        match reply {
            Ok(answer) => {
                self.sound = true;
                Ok(answer)
            }
            Err(Fault::Answer(why)) => Err(PluginError::new(
                &*template.component,
                ErrorKind::BadAnswer,
                why,
            )),
            Err(Fault::Engine(error)) => Err(template.explain(&self.store, allowed, &error)),
        }
    }

    /// Drops a resource of the guest's; its destructor is guest code and runs under the same limits.
    pub(crate) fn drop_resource(
        &mut self,
        template: &Template,
        resource: wasmtime::component::ResourceAny,
    ) -> Result<(), PluginError> {
        self.call(template, Lent::default(), |_, store| {
            Ok(resource.resource_drop(store)?)
        })
    }

    /// Whether every call so far has ended well.
    pub(crate) fn is_sound(&self) -> bool {
        self.sound
    }

    /// Says that the instance may not serve another call.
    pub(crate) fn discard(&mut self) {
        self.sound = false;
    }

    pub(crate) fn state(&mut self) -> &mut State {
        self.store.data_mut()
    }

    /// Whether the instance may serve another call.
    pub(crate) fn reusable(&self) -> bool {
        self.sound
            && self.made < CALLS_A_LIFE
            && self.store.data().limiter.used() <= self.grown_limit
    }
}
