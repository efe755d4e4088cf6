//! Serves a client in its dialect by a vendor that speaks another: what the exchange and the relay need of the bridge.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use tollgate_dialect::bridge::{self, Context, Stamp, StreamBridge, Target};
use tollgate_dialect::{ApiError, Document, Operation};
use uuid::Uuid;

use crate::request::Request;
use crate::route::Candidate;

/// As much as a stream may make the bridge hold: answers are held once for clients that are told them again whole. Bytes.
const MOST_HELD: usize = 16 << 20;

/// How an upstream serves what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In the dialect it was asked in.
    Native,
    /// Bridged onto this operation.
    Bridged(Operation),
    /// Nobody can count tokens there: the gateway estimates.
    Estimated,
}

impl Way {
    /// What the vendor is asked for.
    pub(crate) fn spoken(self, asked: Operation) -> Operation {
        match self {
            Self::Bridged(spoken) => spoken,
            Self::Native | Self::Estimated => asked,
        }
    }
}

/// What an operation can be bridged onto, the nearest first: what keeps most of what the two sides can say.
pub(crate) fn neighbours(asked: Operation) -> &'static [Operation] {
    match asked {
        Operation::ChatCompletions => &[Operation::Responses, Operation::Messages],
        Operation::Responses => &[Operation::ChatCompletions, Operation::Messages],
        Operation::Messages => &[Operation::Responses, Operation::ChatCompletions],
        Operation::CountTokens | Operation::Embeddings => &[],
    }
}

/// The way back of one exchange.
pub(crate) struct WayBack {
    context: Context,
    stamp: Stamp,
}

/// The request as the vendor is to get it, and the way back.
pub(crate) fn request(
    request: &Request,
    route: &Candidate,
    spoken: Operation,
    created: u64,
    keeps: bool,
) -> Result<(Document, WayBack), ApiError> {
    let target = Target {
        dialect: spoken.dialect(),
        family: &route.upstream.provider_id,
        model: &route.model,
        max_output_tokens: route.max_output,
        default_output_tokens: None,
        abilities: route.abilities,
    };
    let body = request.document.to_bytes();
    let bridged = bridge::request(request.operation.dialect(), &body, &target)?;
    let mut context = bridged.context;
    // Policies may have chosen another model: clients want to read the name that they asked for.
    context.model = request.requested.to_string();
    // What is kept for a later turn must hold what the vendor wants back.
    context.encrypted_reasoning |= keeps;
    let document = Document::parse(Bytes::from(bridged.body))?;
    let stamp = Stamp {
        request_id: Uuid::simple(request.id).to_string(),
        created,
    };
    Ok((document, WayBack { context, stamp }))
}

/// Without what another vendor sealed, for a vendor that is asked in the client's own dialect. Over the bridge that is
/// seen to already, and nothing is left to be found.
pub(crate) fn unsealed(
    document: Cow<'_, Document>,
    spoken: Operation,
) -> Result<Cow<'_, Document>, ApiError> {
    if !bridge::has_sealed(&document, spoken) {
        return Ok(document);
    }
    let mut document = document.into_owned();
    bridge::strip_sealed(&mut document, spoken)?;
    Ok(Cow::Owned(document))
}

impl WayBack {
    /// A vendor's whole answer, as the client's.
    pub(crate) fn whole(&self, route: &Candidate, body: &[u8]) -> Result<Bytes, ApiError> {
        bridge::answer(&self.context, &self.stamp, &route.upstream.hints, body).map(Bytes::from)
    }

    /// A vendor's whole answer, as the stream that the client has asked for. What is no answer is an error, not a stream
    /// that begins with one.
    pub(crate) fn told(self, route: &Candidate, body: &[u8]) -> Result<Bytes, ApiError> {
        let mut out = self.whole(route, body)?.to_vec();
        out.clear();
        let mut stream = self.stream(route);
        stream.whole(body, &mut out);
        stream.finish(&bridge::Upstream::Closed, &mut out);
        Ok(out.into())
    }

    /// What turns the vendor's stream into the client's.
    pub(crate) fn stream(self, route: &Candidate) -> StreamBridge {
        let hints = Arc::clone(&route.upstream.hints);
        StreamBridge::new(self.context, self.stamp, hints, MOST_HELD)
    }
}
