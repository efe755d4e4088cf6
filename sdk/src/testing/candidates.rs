//! A double of the candidates a routing policy orders.

use crate::views::CandidatesDouble;

/// One candidate of a double.
///
/// ```
/// use tollgate_guest::testing::Candidate;
/// let candidate = Candidate { tier: "premium".into(), healthy: false, ..Candidate::new("main") };
/// assert_eq!(candidate.upstream, "main");
/// ```
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The upstream's name.
    pub upstream: String,
    /// The provider component's id.
    pub provider: String,
    /// The model's name at the vendor.
    pub model: String,
    /// The operator's label; empty if none.
    pub tier: String,
    /// Price of a million input tokens in micro-units.
    pub input_price: Option<u64>,
    /// Price of a million output tokens in micro-units.
    pub output_price: Option<u64>,
    /// Requests under way.
    pub load: u32,
    /// Smoothed time to the first byte in milliseconds.
    pub latency_ms: u32,
    /// Whether the host would use it now.
    pub healthy: bool,
}

impl Candidate {
    /// A healthy, idle candidate without tier and price.
    pub fn new(upstream: &str) -> Self {
        Self {
            upstream: upstream.to_owned(),
            provider: "test-provider".to_owned(),
            model: "test-model".to_owned(),
            tier: String::new(),
            input_price: None,
            output_price: None,
            load: 0,
            latency_ms: 0,
            healthy: true,
        }
    }
}

/// A double of [`Candidates`](crate::Candidates).
///
/// ```
/// use tollgate_guest::testing::{Candidate, Candidates};
/// let candidates = Candidates::of([Candidate::new("a")]);
/// assert_eq!(candidates.view().upstream(0), "a");
/// assert_eq!(candidates.view().upstream(7), "");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Candidates(Vec<Candidate>);

impl Candidates {
    /// Candidates in the host's order.
    pub fn of(candidates: impl IntoIterator<Item = Candidate>) -> Self {
        Self(candidates.into_iter().collect())
    }

    /// The view a guest gets.
    pub fn view(&self) -> crate::Candidates<'_> {
        crate::Candidates::of_double(self)
    }

    /// What `read` finds at a position; the empty or zero value beyond the last.
    fn at<R: Default>(&self, position: u32, read: impl FnOnce(&Candidate) -> R) -> R {
        self.0.get(position as usize).map(read).unwrap_or_default()
    }
}

impl CandidatesDouble for Candidates {
    fn count(&self) -> u32 {
        self.0.len() as u32
    }
    fn upstream(&self, position: u32) -> String {
        self.at(position, |candidate| candidate.upstream.clone())
    }
    fn provider(&self, position: u32) -> String {
        self.at(position, |candidate| candidate.provider.clone())
    }
    fn model(&self, position: u32) -> String {
        self.at(position, |candidate| candidate.model.clone())
    }
    fn tier(&self, position: u32) -> String {
        self.at(position, |candidate| candidate.tier.clone())
    }
    fn input_price(&self, position: u32) -> Option<u64> {
        self.at(position, |candidate| candidate.input_price)
    }
    fn output_price(&self, position: u32) -> Option<u64> {
        self.at(position, |candidate| candidate.output_price)
    }
    fn load(&self, position: u32) -> u32 {
        self.at(position, |candidate| candidate.load)
    }
    fn latency_ms(&self, position: u32) -> u32 {
        self.at(position, |candidate| candidate.latency_ms)
    }
    fn healthy(&self, position: u32) -> bool {
        self.at(position, |candidate| candidate.healthy)
    }
}
