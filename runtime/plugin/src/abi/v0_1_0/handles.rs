//! Stand-ins for what a guest borrows. There is at most one of each in a store, so they hold nothing.
#![expect(
    unreachable_pub,
    reason = "the generated bindings re-export them inside this private module"
)]

/// The one call a guest may see.
pub enum CallHandle {}
/// The one failed answer a guest may see.
pub enum FailedAnswerHandle {}
/// The one head of an answer a guest may see.
pub enum AnswerHeadHandle {}
/// The one request to sign a guest may see.
pub enum HeadHandle {}
/// The one text of a request a guest may see.
pub enum SegmentsHandle {}
/// The one request a guest may see.
pub enum RequestHandle {}
/// The one list of candidates a guest may see.
pub enum CandidatesHandle {}
/// The one outcome a guest may see.
pub enum OutcomeHandle {}
