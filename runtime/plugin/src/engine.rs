//! The one engine: how guests are compiled, where their memory lies, and the clock that ends their calls.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ring::digest;

use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, InstancePre, Linker, ResourceType};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, ModuleVersionStrategy,
    PoolingAllocationConfig, Strategy,
};

use crate::limits::{CORE_INSTANCES, Limits, MEMORIES, TABLE_ELEMENTS, TABLES};
use crate::state::State;
use crate::{PluginError, abi, wasi};

/// Numbers of instances to reserve address space for, tried in this order. Each may need 4 GiB of address space and
/// costs no memory until it is used; where even the last does not fit, memory is mapped on demand.
const SLOTS: [u32; 3] = [4096, 1024, 256];
/// Bytes that a guest may hand to the host in one call, besides its memory limit.
const HOSTCALL_SPARE: usize = 1024 * 1024;

/// Engine, linkers and limits, shared by every component.
pub(crate) struct Host {
    engine: Engine,
    limits: Limits,
    linker: Linker<State>,
    linker_with_wasi: Linker<State>,
}

impl Host {
    /// Makes the engine and starts its clock thread, which ends when the engine is dropped.
    pub(crate) fn new(limits: Limits) -> Result<Arc<Self>, PluginError> {
        let engine = probe()?;
        let failed = |error: wasmtime::Error| {
            PluginError::host(format!("cannot set up the component host: {error:#}"))
        };
        let mut linker = Linker::new(&engine);
        abi::link(&mut linker).map_err(failed)?;
        let mut linker_with_wasi = linker.clone();
        wasi::link(&mut linker_with_wasi).map_err(failed)?;
        start_clock(&engine, limits)?;
        Ok(Arc::new(Self {
            engine,
            limits,
            linker,
            linker_with_wasi,
        }))
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Bytes that a guest may hand to the host in one call or answer.
    pub(crate) fn hostcall_bytes(&self) -> usize {
        self.limits.memory.saturating_add(HOSTCALL_SPARE)
    }

    /// Resolves a component's imports. WASI is there only for a component that asks for it.
    pub(crate) fn link(
        &self,
        component: &Component,
        wasi: bool,
    ) -> wasmtime::Result<InstancePre<State>> {
        if !wasi {
            return self.linker.instantiate_pre(component);
        }
        let mut linker = self.linker_with_wasi.clone();
        let mut seen = Vec::new();
        for (name, import) in component.component_type().imports(&self.engine) {
            let ComponentItem::ComponentInstance(interface) = import.ty else {
                continue;
            };
            if name.starts_with("wasi:sockets/") {
                stub(&mut linker, &self.engine, name, &interface, &seen)?;
            }
            seen.extend(resources(&self.engine, &interface));
        }
        linker.instantiate_pre(component)
    }
}

/// The resources that an interface has, its own and those that it uses of others.
fn resources<'a>(
    engine: &'a Engine,
    interface: &'a ComponentInstance,
) -> impl Iterator<Item = ResourceType> + 'a {
    interface
        .exports(engine)
        .filter_map(|(_, export)| match export.ty {
            ComponentItem::Resource(resource) => Some(resource),
            _ => None,
        })
}

/// Network: a component may be built against it and traps when it tries. Nothing else may be stubbed: the linker finds
/// an interface of another patch version by itself, but a stub of the exact version would hide it.
///
/// `seen` are the resources of the interfaces imported before. An interface that uses one of them (`udp` the `pollable` of
/// `wasi:io/poll`) must have that very type, so it is not defined again: what linkers leave out there is taken from where
/// it was defined.
fn stub(
    linker: &mut Linker<State>,
    engine: &Engine,
    name: &str,
    interface: &ComponentInstance,
    seen: &[ResourceType],
) -> wasmtime::Result<()> {
    let mut instance = linker.instance(name)?;
    for (item, export) in interface.exports(engine) {
        match export.ty {
            ComponentItem::ComponentFunc(_) => {
                let full = format!("{name}#{item}");
                instance.func_new(item, move |_, _, _, _| {
                    Err(wasmtime::format_err!(
                        "there is no network: `{full}` was called"
                    ))
                })?;
            }
            ComponentItem::Resource(resource) if !seen.contains(&resource) => {
                instance.resource(item, ResourceType::host::<()>(), |_, _| Ok(()))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// An engine with as many pooled slots as the address space allows.
fn probe() -> Result<Engine, PluginError> {
    let failed = |error: wasmtime::Error| PluginError::host(format!("no engine: {error:#}"));
    // By default compiled code is marked with the major version alone, so code of a patched compiler would pass for
    // the old one's. The full compatibility hash of a plain engine knows the patch release.
    let version =
        compatibility(&Engine::new(&config(None, None).map_err(failed)?).map_err(failed)?);
    for slots in SLOTS {
        match Engine::new(&config(Some(slots), Some(&version)).map_err(failed)?) {
            Ok(engine) => return Ok(engine),
            Err(error) => {
                tracing::debug!(slots, "no address space for pooled instances: {error:#}")
            }
        }
    }
    tracing::warn!(
        "no address space for pooled instances; memory is mapped on demand, which is slower"
    );
    Engine::new(&config(None, Some(&version)).map_err(failed)?).map_err(failed)
}

/// A hash, in hex, over everything that decides whether compiled code fits an engine.
pub(crate) fn compatibility(engine: &Engine) -> String {
    let mut hasher = Sha256Hasher(digest::Context::new(&digest::SHA256));
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hex(&hasher.0.finish().as_ref()[..16])
}

/// `Hash` into SHA-256: the standard hasher is neither stable nor long enough to name a file with.
struct Sha256Hasher(digest::Context);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finish();
        let mut first = [0_u8; 8];
        first.copy_from_slice(&digest.as_ref()[..8]);
        u64::from_le_bytes(first)
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn config(slots: Option<u32>, version: Option<&str>) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config.strategy(Strategy::Cranelift);
    // Guests are called synchronously and never await: measured at an eighth of the asynchronous call's cost.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.memory_init_cow(true);
    // Images of JavaScript and Python guests are mapped too, not copied.
    config.memory_guaranteed_dense_image_size(32 << 20);
    // A call stops at its deadline in compiled code; backtraces of guests would only cost.
    config.wasm_backtrace_max_frames(None);
    if let Some(version) = version {
        config.module_version(ModuleVersionStrategy::Custom(version.to_owned()))?;
    }
    if let Some(slots) = slots {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(slots)));
    }
    Ok(config)
}

fn pooling(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    let core_instances = u32::try_from(CORE_INSTANCES).unwrap_or(u32::MAX);
    pool.total_component_instances(slots)
        // Only counted: nothing is reserved for one. A Python guest has 38.
        .total_core_instances(slots.saturating_mul(core_instances))
        .total_memories(slots)
        .total_tables(slots.saturating_mul(2))
        .max_core_instances_per_component(core_instances)
        .max_memories_per_component(u32::try_from(MEMORIES).unwrap_or(u32::MAX))
        .max_tables_per_component(u32::try_from(TABLES).unwrap_or(u32::MAX))
        .max_tables_per_module(4)
        .table_elements(TABLE_ELEMENTS)
        .max_component_instance_size(8 << 20)
        .max_core_instance_size(8 << 20)
        .pagemap_scan(Enabled::Auto);
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        // Only touched pages are reset. Without the kernel's scan this would clear the whole range and cost more.
        pool.linear_memory_keep_resident(1 << 20)
            .table_keep_resident(64 << 10);
    }
    pool
}

/// Advances the epoch at each tick from a thread of its own: a timer of an async runtime could be blocked by the very
/// call that it should end.
fn start_clock(engine: &Engine, limits: Limits) -> Result<(), PluginError> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("component-clock".into())
        .spawn(move || {
            loop {
                std::thread::sleep(limits.tick);
                let Some(engine) = engine.upgrade() else {
                    break;
                };
                engine.increment_epoch();
            }
        })
        .map(drop)
        .map_err(|error| PluginError::host(format!("cannot start the component clock: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use wasmtime::Store;

    #[test]
    fn core_instances_do_not_run_out_before_the_slots_do() {
        let host = Host::new(Limits::new(1 << 20, Duration::from_millis(50))).unwrap();
        let instances = "(core instance (instantiate $m))".repeat(CORE_INSTANCES);
        let text = format!("(component (core module $m) {instances})");
        let bytes = wat::parse_str(text).unwrap();
        let component = Component::new(host.engine(), bytes).unwrap();
        let pre = host.link(&component, false).unwrap();
        let held: Vec<_> = (0..SLOTS[SLOTS.len() - 1])
            .map(|_| {
                let state = State::new("crowd".into(), 1 << 20, false);
                let mut store = Store::new(host.engine(), state);
                pre.instantiate(&mut store).unwrap();
                store
            })
            .collect();
        drop(held);
    }
}
