//! A client's message: `response.create`, the body of a request without what only HTTP needs.

use bytes::Bytes;

use super::Fault;
use crate::{Document, Edit};

/// Vendors and clients agree on this.
const LONGEST_LANE: usize = 256;

/// Members that are about the connection, not about the response. `background` has no meaning where answers are always
/// streamed.
const OF_THE_CONNECTION: [&str; 5] = [
    "/type",
    "/stream_id",
    "/generate",
    "/background",
    "/previous_response_id",
];

/// A `response.create`.
#[derive(Debug)]
pub struct Create {
    lane: Option<String>,
    warm_up: bool,
    pub(super) previous: Option<String>,
    /// The vendor keeps the response, so that its items may be referred to.
    pub(super) stored: bool,
    /// The request as it would be sent over HTTP, but for what the response before it holds.
    pub(super) document: Document,
    size: usize,
}

impl Create {
    /// Reads a message.
    ///
    /// # Errors
    /// It is not JSON, not a `response.create`, or one of the members that are read here is of another type. The body
    /// itself is looked at when the request is served.
    pub fn read(text: Bytes) -> Result<Self, Fault> {
        let size = text.len();
        let mut document = Document::parse(text)?;
        if let Some(name) = document.name_twice() {
            // The gateway could read the one and the vendor the other.
            let message = format!("`{name}` is there twice");
            return Err(Fault::invalid(message).at(&name));
        }
        let lane = lane(&document)?;
        let read = read(&mut document);
        match read {
            Err(fault) => Err(fault.on(lane.as_deref())),
            Ok((warm_up, previous, stored)) => Ok(Self {
                lane,
                warm_up,
                previous,
                stored,
                document,
                size,
            }),
        }
    }

    /// The stream it belongs to, where the client has named one: its events carry the name.
    pub fn lane(&self) -> Option<&str> {
        self.lane.as_deref()
    }

    /// Nothing is to be generated: the client announces what its next request begins with.
    pub fn is_warm_up(&self) -> bool {
        self.warm_up
    }

    /// Bytes of the message.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The model it asks for; empty where it does not say.
    pub fn model(&self) -> String {
        let model = self.document.get_string("model");
        model.ok().flatten().unwrap_or_default().into_owned()
    }
}

fn lane(document: &Document) -> Result<Option<String>, Fault> {
    let fits = |lane: &str| {
        (1..=LONGEST_LANE).contains(&lane.len())
            && lane
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    };
    match document.get_string("stream_id") {
        Ok(None) => Ok(None),
        Ok(Some(lane)) if fits(&lane) => Ok(Some(lane.into_owned())),
        _ => Err(Fault::invalid(
            "`stream_id` must be 1 to 256 letters, digits, underscores, hyphens or periods",
        )
        .at("stream_id")
        .code("invalid_stream_id")),
    }
}

/// Takes out what is about the connection: whether it is a warm-up, what it goes on from, whether the vendor keeps it.
fn read(document: &mut Document) -> Result<(bool, Option<String>, bool), Fault> {
    match document.get_string("type")?.as_deref() {
        Some("response.create") => {}
        Some(other) => {
            let shown: String = other.chars().take(100).collect();
            let message = format!("`{shown}` is not served here; send `response.create`");
            return Err(Fault::invalid(message).at("type").code("unknown_event"));
        }
        None => {
            let message = "the message has no `type`; send `response.create`";
            return Err(Fault::invalid(message).at("type").code("unknown_event"));
        }
    }
    let warm_up = document.get_bool("generate")? == Some(false);
    let previous = document.get_string("previous_response_id")?;
    let previous = previous.map(|id| id.into_owned());
    let stored = document.get_bool("store")?.unwrap_or(true);
    for pointer in OF_THE_CONNECTION {
        document.apply(&Edit::Remove {
            pointer: pointer.to_owned(),
        })?;
    }
    document.apply(&Edit::Set {
        pointer: "/stream".to_owned(),
        value: "true".to_owned(),
    })?;
    Ok((warm_up, previous, stored))
}
