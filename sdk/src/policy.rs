//! The interfaces a policy may implement, as traits, and `configuration`, which both kinds may.

use crate::{Candidates, Denial, Judgement, Outcome, Request, Segments, Verdict};

/// Takes the operator's configuration.
///
/// ```
/// use tollgate_guest::{Configuration, json::Json};
/// struct Cap { tokens: u64 }
/// impl Configuration for Cap {
///     fn configure(config: &str) -> Result<Self, String> {
///         let config = Json::parse(config).map_err(|why| format!("not JSON: {why}"))?;
///         let tokens = config.get("tokens").and_then(Json::as_u64);
///         Ok(Cap { tokens: tokens.ok_or("`tokens` must be a whole number")? })
///     }
/// }
/// assert!(Cap::configure(r#"{"tokens":"many"}"#).is_err());
/// ```
pub trait Configuration: Sized {
    /// Makes the component's value from the JSON text the operator gave (`{}` if none).
    ///
    /// # Errors
    /// A sentence naming what is wrong; the configuration is then refused and the old one stays.
    fn configure(config: &str) -> Result<Self, String>;
}

/// Decides whether a request may go on, and narrows it.
///
/// ```
/// use tollgate_guest::{Admission, Amendment, Request, Verdict};
/// # #[derive(Default)] struct Cap;
/// impl Admission for Cap {
///     fn admit(&self, request: &Request) -> Verdict {
///         match request.output_cap() {
///             Some(cap) if cap <= 4096 => Verdict::Allow,
///             _ => Verdict::Amend(vec![Amendment::CapOutput(4096)]),
///         }
///     }
/// }
/// ```
pub trait Admission {
    /// Called once a request. A trap, a time-out or a refused amendment denies.
    fn admit(&self, request: &Request) -> Verdict;
}

/// Sees and changes the text a client sends.
///
/// ```
/// use tollgate_guest::{Content, Judgement, Replacement, Request, Segments};
/// # #[derive(Default)] struct Hush;
/// impl Content for Hush {
///     fn inspect(&self, _request: &Request, segments: &Segments) -> Judgement {
///         let texts = (0..segments.count()).map(|index| (index, segments.text(index)));
///         let hushed = texts.filter(|(_, text)| text.contains("Rumpelstiltskin"));
///         Judgement::replacing(hushed.map(|(index, text)| Replacement {
///             index,
///             text: text.replace("Rumpelstiltskin", "***"),
///         }))
///     }
/// }
/// ```
pub trait Content {
    /// Called once a request with all its text. A trap or a time-out denies.
    fn inspect(&self, request: &Request, segments: &Segments) -> Judgement;
}

/// Sees and changes the text a client gets back, streamed or not.
///
/// ```
/// use tollgate_guest::{AnswerContent, AnswerFilter, Denial, Request};
/// # #[derive(Default)] struct Shout;
/// struct Upper;
/// impl AnswerFilter for Upper {
///     fn push(&mut self, text: &str) -> Result<String, Denial> { Ok(text.to_uppercase()) }
///     fn finish(&mut self) -> Result<String, Denial> { Ok(String::new()) }
/// }
/// impl AnswerContent for Shout {
///     type Filter = Upper;
///     fn open(&self, _request: &Request, _kind: &str) -> Upper { Upper }
/// }
/// ```
pub trait AnswerContent {
    /// What filters one channel of text.
    type Filter: AnswerFilter;

    /// Starts a channel: a choice, an output item, a content block. `kind` is `text`, `tool-arguments` or `reasoning`.
    fn open(&self, request: &Request, kind: &str) -> Self::Filter;
}

/// One channel of text in an answer; see [`AnswerContent`] for an example.
pub trait AnswerFilter: 'static {
    /// Text as it arrives. Returns what may go out now; the rest is held back.
    ///
    /// # Errors
    /// A denial ends the answer.
    fn push(&mut self, text: &str) -> Result<String, Denial>;

    /// The channel has ended. Returns what was held back and may go out.
    ///
    /// # Errors
    /// A denial ends the answer.
    fn finish(&mut self) -> Result<String, Denial>;
}

/// Orders the candidates that can serve a request.
///
/// ```
/// use tollgate_guest::{Candidates, Request, Routing};
/// # #[derive(Default)] struct Idlest;
/// impl Routing for Idlest {
///     fn rank(&self, _request: &Request, candidates: &Candidates) -> Vec<u32> {
///         let mut order: Vec<u32> = (0..candidates.count()).collect();
///         order.sort_by_key(|&position| candidates.load(position));
///         order
///     }
/// }
/// ```
pub trait Routing {
    /// Positions in the order to try; leaving one out removes it, and an empty list denies.
    fn rank(&self, request: &Request, candidates: &Candidates) -> Vec<u32>;
}

/// Told how a request ended; cannot change anything.
///
/// ```
/// use tollgate_guest::{Observation, Outcome, log};
/// # #[derive(Default)] struct Slow;
/// impl Observation for Slow {
///     fn observe(&self, outcome: &Outcome) {
///         if outcome.duration_ms() > 60_000 {
///             log::warn(&format!("{} took {} ms", outcome.request_id(), outcome.duration_ms()));
///         }
///     }
/// }
/// ```
pub trait Observation {
    /// Called after the request has been answered and settled.
    fn observe(&self, outcome: &Outcome);
}
