//! What the host wants of a guest, whatever version of the contract the guest was built for.
//!
//! Each frozen version has a module here with its bindings and an implementation of the two traits. The rest of the
//! crate knows only the traits, so a new version is a new module and one line in `link` and `bind`.

mod v0_1_0;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, Linker, ResourceAny};

use crate::state::State;
use crate::{
    Answer, CataloguePage, CatalogueRequest, Denial, Failure, Interface, Judgement, Plan, Verdict,
    Window,
};

/// Versions of `tollgate:extension` that this host speaks, oldest first.
pub(crate) const VERSIONS: &[&str] = &["0.1.0"];

/// Interfaces that a guest of `version` may import.
pub(crate) fn known_imports(version: &str) -> &'static [&'static str] {
    match version {
        "0.1.0" => v0_1_0::IMPORTS,
        _ => &[],
    }
}

/// Defines the imports of every version.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    v0_1_0::link(linker)
}

/// Resolves the exports of a component built for `version`, once for all its instances.
pub(crate) fn bind(
    version: &str,
    pre: &InstancePre<State>,
    exports: &[Interface],
) -> wasmtime::Result<Box<dyn Bound>> {
    match version {
        "0.1.0" => Ok(Box::new(v0_1_0::Indices::new(pre, exports)?)),
        other => Err(wasmtime::format_err!(
            "no bindings for tollgate:extension@{other}"
        )),
    }
}

/// Why a guest gave no usable answer.
pub(crate) enum Fault {
    /// It trapped or was stopped.
    Engine(wasmtime::Error),
    /// It answered something the contract does not allow.
    Answer(String),
}

impl From<wasmtime::Error> for Fault {
    fn from(error: wasmtime::Error) -> Self {
        Fault::Engine(error)
    }
}

/// The answer of a guest, or why there is none.
pub(crate) type Reply<T> = Result<T, Fault>;

/// The resolved exports of one component.
pub(crate) trait Bound: Send + Sync {
    /// The functions of one instance. With `all`, every exported interface is checked and loaded now; else each is
    /// loaded when it is first called.
    fn load(
        &self,
        store: &mut Store<State>,
        instance: Instance,
        all: bool,
    ) -> wasmtime::Result<Box<dyn Calls>>;
}

/// The functions of one instance. What they read lies in the store's `Lent`.
pub(crate) trait Calls: Send {
    fn configure(&mut self, store: &mut Store<State>, config: &str) -> Reply<Result<(), String>>;
    fn describe(&mut self, store: &mut Store<State>) -> Reply<String>;
    fn prepare(&mut self, store: &mut Store<State>) -> Reply<Result<Plan, Failure>>;
    fn classify(&mut self, store: &mut Store<State>) -> Reply<Failure>;
    fn sign(&mut self, store: &mut Store<State>) -> Reply<Result<Vec<(String, String)>, String>>;
    fn respond(&mut self, store: &mut Store<State>, body: &[u8]) -> Reply<Answer>;
    fn read_capacity(&mut self, store: &mut Store<State>) -> Reply<Vec<Window>>;
    fn catalogue_request(
        &mut self,
        store: &mut Store<State>,
        endpoint: &str,
    ) -> Reply<CatalogueRequest>;
    fn catalogue_read(
        &mut self,
        store: &mut Store<State>,
        body: &[u8],
    ) -> Reply<Result<CataloguePage, String>>;
    fn translator(&mut self, store: &mut Store<State>) -> Reply<ResourceAny>;
    fn translate(
        &mut self,
        store: &mut Store<State>,
        translator: ResourceAny,
        step: Translate<'_>,
    ) -> Reply<Result<Vec<u8>, Failure>>;
    fn admit(&mut self, store: &mut Store<State>) -> Reply<Verdict>;
    fn inspect(&mut self, store: &mut Store<State>) -> Reply<Judgement>;
    fn rank(&mut self, store: &mut Store<State>) -> Reply<Vec<u32>>;
    fn observe(&mut self, store: &mut Store<State>) -> Reply<()>;
    fn answer_filter(&mut self, store: &mut Store<State>, kind: &str) -> Reply<ResourceAny>;
    /// `None` ends the channel.
    fn filter(
        &mut self,
        store: &mut Store<State>,
        filter: ResourceAny,
        text: Option<&str>,
    ) -> Reply<Result<String, Denial>>;
}

/// A step of a translator.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Translate<'a> {
    Request(&'a [u8]),
    /// What it may read of the answer lies in `Lent`; gives no bytes.
    Answered,
    Response(&'a [u8]),
    Push(&'a [u8]),
    Finish,
}
