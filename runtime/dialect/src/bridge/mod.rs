//! The bridge: a request in one dialect, served by a vendor that speaks another.
//!
//! One conversation model stands in the middle. A reader per dialect turns the wire into the model, a writer per dialect
//! turns the model into the wire: three and three instead of six pairs. The model borrows from the body, and what the
//! gateway need not understand (schemas, arguments) passes through it as the JSON text it is. Equal input gives equal
//! bytes, so that the vendors' prefix caches hit. What cannot be said in the target dialect is refused by name, or
//! dropped where `loss` says so: one table, from which `docs/bridge.md` is made.
//!
//! Traffic whose two dialects are the same never comes here.

mod answer;
mod compact;
mod context;
mod count;
mod efforts;
mod found;
mod hidden;
pub mod loss;
mod made;
pub mod opaque;
mod request;
mod stamp;
mod stream;
mod strip;
mod target;

pub use answer::answer;
pub use compact::{compacted, open_summaries, summarising};
pub use context::{ClientTool, Context, Echo, ToolName};
pub use count::{count_request, counted, told};
pub use efforts::Efforts;
pub use hidden::open_hidden;
pub use made::answer_of;
pub use request::{Bridged, Headers, request};
pub use stamp::Stamp;
pub use stream::{StreamBridge, Upstream, sign_of_life};
pub use strip::{has_foreign, has_sealed, strip_foreign, strip_sealed};
pub use target::{Abilities, Target};
