//! Serves a client in its dialect by a vendor that speaks another, or that does not have what was asked for: what the
//! exchange and the relay need of the bridge.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tollgate_dialect::bridge::{self, Context, Headers, Stamp, StreamBridge, Target};
use tollgate_dialect::{ApiError, Document, Edit, ErrorKind, Operation};
use tollgate_plugin::Interface;
use uuid::Uuid;

use crate::makers::Makers;
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
    /// How far it is from what was asked for; the nearer is asked first.
    pub(crate) fn distance(self) -> u8 {
        match self {
            Self::Native => 0,
            Self::Bridged(_) => 1,
            // Nobody is asked: whoever counts, in whatever dialect, knows better.
            Self::Estimated => 2,
        }
    }

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
        // Nearest is the vendor's own dialect: an ordinary answer that sums up.
        Operation::Compact => &[
            Operation::Responses,
            Operation::ChatCompletions,
            Operation::Messages,
        ],
        Operation::InputTokens => &[Operation::CountTokens],
        Operation::CountTokens => &[Operation::InputTokens],
        Operation::Embeddings => &[],
    }
}

/// The cap on the answer to a request to compact, whoever set it.
const CAP: &str = "max_output_tokens";

/// How a request is served there. A vendor's own compaction takes no output cap: where one holds that the model's answer
/// could exceed, an ordinary call under the cap sums up instead.
///
/// # Errors
/// The upstream compacts and does nothing else.
pub(crate) fn way(request: &Request, route: &Candidate) -> Result<Way, ApiError> {
    // Candidates serve the operation one way or the other.
    let way = route.way(request.operation).unwrap_or(Way::Native);
    if request.operation != Operation::Compact || way != Way::Native {
        return Ok(way);
    }
    let Some(cap) = request.document.get_u64(CAP)? else {
        return Ok(Way::Native);
    };
    if route.max_output.is_some_and(|most| most <= cap) {
        return Ok(Way::Native);
    }
    match route.way(Operation::Responses) {
        Some(Way::Native) => Ok(Way::Bridged(Operation::Responses)),
        Some(other) => Ok(other),
        None => Err(ApiError::new(
            ErrorKind::Unsupported,
            "the compaction of this model takes no output cap, and one holds here",
        )
        .with_param(CAP)),
    }
}

/// Without a cap that its vendor does not know and the model's answer cannot exceed.
pub(crate) fn uncapped(
    document: Cow<'_, Document>,
    spoken: Operation,
) -> Result<Cow<'_, Document>, ApiError> {
    if spoken != Operation::Compact || document.get(CAP).is_none() {
        return Ok(document);
    }
    let mut document = document.into_owned();
    document.apply(&Edit::Remove {
        pointer: format!("/{CAP}"),
    })?;
    Ok(Cow::Owned(document))
}

/// The way back of one exchange.
pub(crate) enum WayBack {
    /// An answer from another dialect.
    Answer(Box<Context>, Stamp),
    /// A count, as the client of this operation reads it.
    Count(Operation),
    /// An ordinary answer that sums a conversation up; from another dialect where there is a context.
    Summary(Option<Box<Context>>, Stamp),
}

/// A conversation as an answer names it.
#[derive(serde::Serialize)]
struct Named<'a> {
    id: &'a str,
}

/// A request on its way over the bridge.
pub(crate) struct Crossing {
    /// As the vendor is to get it.
    pub(crate) document: Document,
    /// Headers that belong to it.
    pub(crate) headers: Headers,
    pub(crate) back: WayBack,
}

/// The request as the vendor is to get it, and the way back.
pub(crate) fn request(
    request: &Request,
    route: &Candidate,
    spoken: Operation,
    created: u64,
    keeps: bool,
) -> Result<Crossing, ApiError> {
    let target = Target {
        dialect: spoken.dialect(),
        family: &route.upstream.provider_id,
        model: &route.model,
        max_output_tokens: route.max_output,
        default_output_tokens: None,
        abilities: route.abilities,
    };
    let from = request.operation.dialect();
    let stamp = Stamp {
        request_id: Uuid::simple(request.id).to_string(),
        created,
    };
    if request.operation.counts() {
        let body = request.document.to_bytes();
        let (document, headers) = bridge::count_request(from, &body, &target)?;
        let back = WayBack::Count(request.operation);
        return Ok(Crossing {
            document,
            headers,
            back,
        });
    }
    let sums_up = request.operation == Operation::Compact;
    let body = match sums_up {
        true => {
            let mut asked = bridge::summarising(&request.document)?;
            if spoken.dialect() == from {
                asked.apply(&Edit::Set {
                    pointer: "/model".to_owned(),
                    value: serde_json::Value::from(&*route.model).to_string(),
                })?;
                return Ok(Crossing {
                    document: Document::parse(asked.to_bytes())?,
                    headers: &[],
                    back: WayBack::Summary(None, stamp),
                });
            }
            asked.to_bytes()
        }
        false => request.document.to_bytes(),
    };
    let bridged = bridge::request(from, &body, &target)?;
    let mut context = bridged.context;
    // Policies may have chosen another model: clients want to read the name that they asked for.
    context.model = request.requested.to_string();
    if let (Some(thread), Some(echo)) = (&request.thread, &mut context.echo) {
        // The body does not have them any more.
        if let Some(id) = &thread.previous {
            echo.add("previous_response_id", id);
        }
        if let Some(id) = &thread.conversation {
            echo.add("conversation", &Named { id });
        }
    }
    // What is kept for a later turn must hold what the vendor wants back.
    context.encrypted_reasoning |= keeps;
    let mut watching = request.policies.with(Interface::AnswerContent);
    context.hidden_reasoning = watching.next().is_none();
    let context = Box::new(context);
    Ok(Crossing {
        document: Document::parse(Bytes::from(bridged.body))?,
        headers: bridged.headers,
        back: match sums_up {
            true => WayBack::Summary(Some(context), stamp),
            false => WayBack::Answer(context, stamp),
        },
    })
}

/// The headers that a client of the vendor's dialect would have sent: this client's, and those that belong to the body as the
/// bridge wrote it. A flag stands beside those that the client has set.
pub(crate) fn headers(own: &Arc<HeaderMap>, bodys: Headers) -> Arc<HeaderMap> {
    let mut all = Arc::clone(own);
    for (name, value) in bodys {
        let told = own.get_all(*name).iter();
        let mut told: Vec<&str> = told.filter_map(|told| told.to_str().ok()).collect();
        if told
            .iter()
            .any(|told| told.split(',').any(|one| one.trim() == *value))
        {
            continue;
        }
        told.retain(|told| !told.is_empty());
        told.push(value);
        if let Ok(value) = HeaderValue::from_str(&told.join(",")) {
            Arc::make_mut(&mut all).insert(*name, value);
        }
    }
    all
}

/// Without what another vendor sealed, signed or encrypted, for a vendor that is asked in the client's own dialect. Over the
/// bridge that is seen to already, and nothing is left to be found.
pub(crate) fn unsealed<'a>(
    mut document: Cow<'a, Document>,
    spoken: Operation,
    makers: &Makers,
    family: &str,
) -> Result<Cow<'a, Document>, ApiError> {
    if bridge::has_sealed(&document, spoken) {
        bridge::strip_sealed(document.to_mut(), spoken)?;
    }
    let signs = matches!(
        spoken.reads_as(),
        Operation::Messages | Operation::Responses
    );
    if signs && makers.has_others(family) {
        let foreign = |mark| makers.is_foreign(mark, family);
        if bridge::has_foreign(&document, spoken, &foreign) {
            bridge::strip_foreign(document.to_mut(), spoken, &foreign)?;
        }
    }
    Ok(document)
}

impl WayBack {
    /// A vendor's whole answer, as the client's; an answer that sums up is an ordinary one of the client's dialect yet.
    pub(crate) fn whole(&self, route: &Candidate, body: Bytes) -> Result<Bytes, ApiError> {
        match self {
            Self::Answer(context, stamp) | Self::Summary(Some(context), stamp) => {
                bridge::answer(context, stamp, &route.upstream.hints, &body).map(Bytes::from)
            }
            Self::Count(asked) => bridge::counted(*asked, &body).map(Bytes::from),
            Self::Summary(None, _) => Ok(body),
        }
    }

    /// The last step, after policies have seen the text: a summary is sealed with what goes on being there.
    pub(crate) fn seal(&self, request: &Request, body: Bytes) -> Result<Bytes, ApiError> {
        match self {
            Self::Summary(_, stamp) => {
                bridge::compacted(request.document.get("input"), &body, stamp).map(Bytes::from)
            }
            Self::Answer(..) | Self::Count(_) => Ok(body),
        }
    }

    /// A vendor's whole answer, as the stream that the client has asked for. What is no answer is an error, not a stream
    /// that begins with one.
    pub(crate) fn told(self, route: &Candidate, body: Bytes) -> Result<Bytes, ApiError> {
        // Read twice: a stream has begun by the time that it could tell an error. Such vendors are rare.
        let whole = self.whole(route, body.clone())?;
        let Some(mut stream) = self.stream(route) else {
            return Ok(whole);
        };
        let mut out = Vec::with_capacity(2 * body.len());
        stream.whole(&body, &mut out);
        stream.finish(&bridge::Upstream::Closed, &mut out);
        Ok(out.into())
    }

    /// What turns the vendor's stream into the client's; only ordinary answers are streamed.
    pub(crate) fn stream(self, route: &Candidate) -> Option<StreamBridge> {
        let Self::Answer(context, stamp) = self else {
            return None;
        };
        let hints = Arc::clone(&route.upstream.hints);
        Some(StreamBridge::new(*context, stamp, hints, MOST_HELD))
    }
}
