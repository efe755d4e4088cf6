//! `tollgate:extension@0.1.0`: bindings, and each exported interface bound alone.

mod calls;
mod handles;
mod imports;

use wasmtime::Store;
use wasmtime::component::{HasSelf, Instance, InstancePre, Linker};

use crate::Interface;
use crate::abi::{Bound, Calls};
use crate::state::State;

/// Interfaces that a component of this version may import. `verdicts` and `failures` only hold types.
pub(super) const IMPORTS: &[&str] = &[
    "log",
    "clock",
    "credential",
    "request",
    "call",
    "outgoing",
    "segments",
    "candidates",
    "outcomes",
    "verdicts",
    "failures",
];

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated; the documentation is in the WIT"
)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1.0",
        inline: "
            package tollgate:host;
            world everything {
                include tollgate:extension/provider@0.1.0;
                include tollgate:extension/policy@0.1.0;
            }
        ",
        world: "tollgate:host/everything",
        imports: { default: trappable },
        ownership: Borrowing { duplicate_if_necessary: false },
        with: {
            "tollgate:extension/call.call": super::handles::CallHandle,
            "tollgate:extension/call.failed-answer": super::handles::FailedAnswerHandle,
            "tollgate:extension/call.answer-head": super::handles::AnswerHeadHandle,
            "tollgate:extension/outgoing.head": super::handles::HeadHandle,
            "tollgate:extension/segments.segments": super::handles::SegmentsHandle,
            "tollgate:extension/request.request": super::handles::RequestHandle,
            "tollgate:extension/candidates.candidates": super::handles::CandidatesHandle,
            "tollgate:extension/outcomes.outcome": super::handles::OutcomeHandle,
        },
    });
}

use bindings::exports::tollgate::extension as exports;

/// Defines everything a component of this version may import.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    bindings::Everything::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}

/// Declares the table of exports: one optional member for each interface, each resolved by its own indices.
macro_rules! interfaces {
    ($($field:ident: $module:ident = $interface:ident,)*) => {
        /// Where a component's exports are.
        pub(super) struct Indices {
            $($field: Option<exports::$module::GuestIndices>,)*
        }

        impl Indices {
            /// Resolves the exported interfaces; one that lacks a function is an error that names it.
            pub(super) fn new<T>(pre: &InstancePre<T>, found: &[Interface]) -> wasmtime::Result<Self> {
                Ok(Self {
                    $($field: match found.contains(&Interface::$interface) {
                        true => Some(exports::$module::GuestIndices::new(pre)?),
                        false => None,
                    },)*
                })
            }
        }

        /// The functions of one instance, loaded when first called.
        struct Loaded {
            instance: Instance,
            indices: Indices,
            $($field: Option<exports::$module::Guest>,)*
        }

        impl Loaded {
            fn new(indices: &Indices, instance: Instance) -> Self {
                Self {
                    instance,
                    indices: Indices { $($field: indices.$field.clone(),)* },
                    $($field: None,)*
                }
            }

            fn load_all(&mut self, store: &mut Store<State>) -> wasmtime::Result<()> {
                $(if self.indices.$field.is_some() {
                    self.$field(store)?;
                })*
                Ok(())
            }

            $(fn $field(&mut self, store: &mut Store<State>) -> wasmtime::Result<&exports::$module::Guest> {
                if self.$field.is_none() {
                    let indices = self.indices.$field.as_ref().ok_or_else(|| {
                        wasmtime::format_err!("does not export `{}`", Interface::$interface.name())
                    })?;
                    let guest = indices.load(&mut *store, &self.instance).map_err(|error| {
                        error.context(format!(
                            "its `{}` is not the one of tollgate:extension@0.1.0",
                            Interface::$interface.name()
                        ))
                    })?;
                    self.$field = Some(guest);
                }
                self.$field.as_ref().ok_or_else(|| wasmtime::format_err!("not loaded"))
            })*
        }
    };
}

interfaces! {
    manifest: manifest = Manifest,
    exchange: exchange = Exchange,
    signing: signing = Signing,
    translation: translation = Translation,
    capacity: capacity = Capacity,
    catalogue: catalogue = Catalogue,
    responder: responder = Responder,
    admission: admission = Admission,
    content: content = Content,
    answer_content: answer_content = AnswerContent,
    routing: routing = Routing,
    observation: observation = Observation,
    configuration: configuration = Configuration,
}

impl Bound for Indices {
    fn load(
        &self,
        store: &mut Store<State>,
        instance: Instance,
        all: bool,
    ) -> wasmtime::Result<Box<dyn Calls>> {
        let mut loaded = Loaded::new(self, instance);
        if all {
            loaded.load_all(store)?;
        }
        Ok(Box::new(loaded))
    }
}
