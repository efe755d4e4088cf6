//! Holds money, tokens and a place for a request at every account of its path, before anything is sent.

use std::sync::Arc;
use std::time::Duration;

use tollgate_dialect::{ApiError, ErrorKind, Operation};
use tollgate_governance::{
    AccountId, Admission, Ask, Bound, BudgetMode, Exceeded, LimitKind, Path, Price, hold_dearest,
    output_to_hold,
};
use uuid::Uuid;

use crate::request::{Refusal, Request, error_word};
use crate::route::Candidate;
use crate::snapshot::Snapshot;
use crate::turns::Held;
use crate::worker::Worker;

/// As little output as is still of use, tokens: where a budget affords less the request is refused.
const LEAST_OUTPUT: u64 = 1_024;
/// Output that is held for where neither client nor manifest says how much there can be, tokens: a cap that is larger than
/// what a model can answer is refused by vendors.
const UNKNOWN_OUTPUT: u64 = 8_192;
/// As much as a vendor may hold of a conversation that the gateway has never seen, where its manifest does not tell the
/// size of the window, tokens.
const UNKNOWN_WINDOW: u64 = 200_000;
/// What is held for one image that the vendor fetches itself, tokens: more than the current models take in their finest
/// detail. Some small ones may take three times as many, at a price that makes them cheaper.
const NAMED_IMAGE: u64 = 16_000;
/// Bytes of input to a token where text is densest, roughly: Chinese (three bytes a character, up to one and a half tokens),
/// code, digits. English has four; strict budgets hold for the worst, as no cap on input could be told to a vendor.
const DENSEST_INPUT: u64 = 2;
/// Output that counts against limits of tokens until the settlement tells how much it was.
const EXPECTED_OUTPUT: u64 = 4_096;
/// How long a request waits for a place, milliseconds, each wait twice the one before it. A place is given back once the
/// last byte is written, and whoever has that byte may ask again before the thread that wrote it goes on: a client with
/// one place got 429 for it on a busy machine.
const WAITS_MS: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Admits a request, or says which limit refuses it. Where money is limited and kept strictly, the output cap that was
/// held for is written into the request, so that its charge cannot outgrow the hold.
pub(crate) async fn hold(
    worker: &Worker,
    snapshot: &Snapshot,
    request: &mut Request,
    candidates: &[Candidate],
) -> Result<Admission, Refusal> {
    let path = Arc::clone(&request.caller.path);
    if request.facts.background && path.limits_money(&request.served) {
        // Its answer comes without usage, later, to whoever asks for it: nobody would be charged.
        let error = ApiError::new(
            ErrorKind::Unsupported,
            "`background` cannot be used where money is limited",
        );
        return Err(error.with_param("background").into());
    }
    let wanted = Wanted::of(request, &path, candidates);
    let prices: Vec<&Price> = candidates
        .iter()
        .filter_map(|route| snapshot.price(route))
        .collect();
    let factor = path.price_factor();
    let choices = request.facts.choices.max(1);
    let free = request.operation.counts();
    let price = |output: u64| match free {
        true => 0,
        false => {
            let output = output.saturating_mul(choices);
            // Every candidate has been priced.
            hold_dearest(prices.iter().copied(), wanted.priced, output, factor).unwrap_or(0)
        }
    };
    let ask = Ask {
        request: request.id,
        model: &request.served,
        input: wanted.input,
        expected: wanted.output.min(EXPECTED_OUTPUT).saturating_mul(choices),
        output: wanted.output,
        least_output: wanted.least,
        price: &price,
    };
    let admission = admit(worker, &path, &ask)
        .await
        .map_err(|exceeded| limited(&exceeded, &path))?;
    request.capped = wanted.strict.then(|| admission.output());
    let cap = match wanted.strict {
        true => Some(admission.output()),
        false => path.output_cap(),
    };
    if let Some(cap) = cap
        && request.facts.output_cap.is_none_or(|asked| asked > cap)
    {
        // Whoever is shown the request from here on sees what is sent; a view that lived on would cost a copy of the body.
        request.changed();
        let document = Arc::make_mut(&mut request.document);
        // Dropping the admission on the way out gives everything back.
        tollgate_dialect::lower_output_cap(document, request.operation, cap)
            .map_err(ApiError::from)?;
    }
    Ok(admission)
}

/// Admits a question to a vendor that generates nothing: it costs nothing, and is a request under limits of requests and
/// of places like any other, as it goes out under the operator's credential.
pub(crate) async fn beside(
    worker: &Worker,
    path: &Arc<Path>,
    request: Uuid,
) -> Result<Admission, Refusal> {
    let ask = Ask {
        request,
        model: "",
        input: 0,
        expected: 0,
        output: 0,
        least_output: 0,
        price: &|_| 0,
    };
    let admitted = admit(worker, path, &ask).await;
    admitted.map_err(|exceeded| limited(&exceeded, path))
}

/// Admits, and waits a moment where nothing but a place is missing.
async fn admit(worker: &Worker, path: &Arc<Path>, ask: &Ask<'_>) -> Result<Admission, Exceeded> {
    let counters = worker.control.counters();
    let mut waits = WAITS_MS.into_iter();
    loop {
        // The body may have taken long to come: a request counts when it is admitted.
        let refused = match counters.admit(path, ask, worker.now_ms()) {
            Err(exceeded)
                if exceeded.bound == Bound::Limit(LimitKind::Concurrency)
                    && exceeded.retry_after_ms.is_some() =>
            {
                exceeded
            }
            outcome => return outcome,
        };
        let Some(wait) = waits.next() else {
            return Err(refused);
        };
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

/// What a request wants to be held for, in tokens.
struct Wanted {
    input: u64,
    /// Input that money is held for.
    priced: u64,
    output: u64,
    least: u64,
    /// The output cap is sent to the vendor.
    strict: bool,
}

impl Wanted {
    fn of(request: &Request, path: &Path, candidates: &[Candidate]) -> Self {
        let facts = &request.facts;
        if request.operation.counts() {
            return Self {
                input: 0,
                priced: 0,
                output: 0,
                least: 0,
                strict: false,
            };
        }
        let input = facts.input_chars_estimate.div_ceil(4);
        let input_bound = facts.input_chars_estimate.div_ceil(DENSEST_INPUT);
        let strict = path.budget_mode() == BudgetMode::Strict && path.limits_money(&request.served);
        if request.operation == Operation::Embeddings {
            return Self {
                input,
                // An id of a token and its comma have two bytes at least, so ids are held for at no less than they are.
                priced: if strict { input_bound } else { input },
                output: 0,
                least: 0,
                // There is no output to cap.
                strict: false,
            };
        }
        let slice = path.default_output();
        // Known only if it is known of every candidate.
        let most = candidates
            .iter()
            .try_fold(0, |most, route| Some(route.max_output?.max(most)));
        let unasked = match most {
            None => slice.min(UNKNOWN_OUTPUT),
            Some(_) => slice,
        };
        let output = output_to_hold(facts.output_cap, unasked, most)
            .min(path.output_cap().unwrap_or(u64::MAX));
        if !strict {
            let least = output.min(slice);
            // A stream's hold grows with what it says. A whole answer is known when it is too late: it is held for as it
            // was asked for, as far as the money goes.
            let output = match request.facts.stream {
                true => least,
                false => output,
            };
            return Self {
                input,
                priced: input,
                output,
                least,
                strict,
            };
        }
        // A cap that leaves nothing beside the thinking is refused by vendors.
        let least = LEAST_OUTPUT.max(facts.thinking_budget.saturating_add(1));
        let thread = request.thread.as_deref();
        let unseen = thread.is_some_and(|thread| matches!(thread.held, Held::Unseen { .. }));
        // Input has no cap that could be told to the vendor: as much as fits, should the output be lowered to nothing.
        let most_input = || {
            let windows = candidates.iter();
            let windows = windows.map(|route| route.context_window.unwrap_or(UNKNOWN_WINDOW));
            windows.max().unwrap_or_default().max(input_bound)
        };
        let named = tollgate_dialect::named_input(&request.document, request.operation);
        let priced = match named.images {
            _ if unseen || named.files > 0 => most_input(),
            0 => input_bound,
            images => {
                let images = images.saturating_mul(NAMED_IMAGE);
                input_bound.saturating_add(images).min(most_input())
            }
        };
        Self {
            input,
            priced,
            output,
            least: least.min(output),
            strict,
        }
    }
}

fn limited(exceeded: &Exceeded, path: &Path) -> Refusal {
    let kind = match exceeded.bound {
        _ if exceeded.is_larger_than_limit() => ErrorKind::LargerThanLimit,
        // Clients must not come again: there is nothing to wait for.
        _ if exceeded.is_zero => ErrorKind::QuotaExceeded,
        // Clients give up at a spent quota; this one is not.
        _ if exceeded.is_held => ErrorKind::RateLimited,
        Bound::Wallet => ErrorKind::WalletEmpty,
        Bound::Age => ErrorKind::RequestTimeout,
        Bound::Limit(
            LimitKind::Rpd | LimitKind::Tpd | LimitKind::DailyLimit | LimitKind::MonthlyLimit,
        ) => ErrorKind::QuotaExceeded,
        Bound::Limit(_) => ErrorKind::RateLimited,
    };
    let mut error = ApiError::new(kind, message(exceeded));
    error.retry_after_ms = exceeded.retry_after_ms;
    error.resets_at = exceeded.resets_at_ms;
    let reason = error_word(&error);
    let pattern = exceeded.pattern.as_deref();
    let pattern = pattern.map_or_else(String::new, |pattern| format!("[{pattern}]"));
    Refusal {
        error,
        reason,
        limited_by: format!(
            "{}{pattern}@{}",
            exceeded.bound.as_str(),
            names_to(path, exceeded.account)
        ),
        denied_by: None,
    }
}

/// A sentence for the person who asked. No figure of any account is in it, but that his own limit is zero.
fn message(exceeded: &Exceeded) -> String {
    let wait = exceeded.retry_after_ms.unwrap_or(0).div_ceil(1_000);
    let kind = match exceeded.bound {
        Bound::Age => {
            return "The request took too long to arrive. Please send it again.".to_owned();
        }
        _ if exceeded.is_held => {
            let what = match exceeded.bound {
                Bound::Wallet => "of the prepaid credit",
                Bound::Limit(LimitKind::DailyLimit) => "of the daily budget",
                Bound::Limit(LimitKind::Tpd) => "of the tokens of a day",
                _ => "of the monthly budget",
            };
            return format!(
                "What is left {what} is held by requests under way. Please try again in {wait} s."
            );
        }
        Bound::Wallet => {
            return "What is left of the prepaid credit is not enough for this request; ask whoever runs this gateway for more."
                .to_owned();
        }
        Bound::Limit(kind) => kind,
    };
    if exceeded.is_larger_than_limit() {
        return match kind.is_money() {
            true => {
                "This request may cost more than the whole budget allows; lower its output cap or its input."
            }
            // Of other limits only those of tokens have a request that is too large.
            false => "The input alone is larger than the limit of tokens; shorten it.",
        }
        .to_owned();
    }
    let what = match kind {
        LimitKind::Rpm => "requests per minute",
        LimitKind::Rph => "requests per hour",
        LimitKind::Rpd => "requests per day",
        LimitKind::Tpm => "tokens per minute",
        LimitKind::Tph => "tokens per hour",
        LimitKind::Tpd => "tokens per day",
        LimitKind::Concurrency => "requests at a time",
        LimitKind::DailyLimit if exceeded.is_zero => "money per day",
        LimitKind::MonthlyLimit if exceeded.is_zero => "money per month",
        LimitKind::DailyLimit => {
            return "What is left of the daily budget is not enough for this request. It resets at the end of the day.".to_owned();
        }
        LimitKind::MonthlyLimit => {
            return "What is left of the monthly budget is not enough for this request. It resets at the end of the month.".to_owned();
        }
    };
    // Another model may work.
    let of = exceeded.pattern.as_deref();
    let of = of.map_or_else(String::new, |pattern| format!(" of `{pattern}`"));
    if exceeded.is_zero {
        let zero = if exceeded.own { "is zero and " } else { "" };
        return format!(
            "The limit of {what}{of} {zero}lets nothing in; ask whoever runs this gateway."
        );
    }
    format!("Rate limit reached: {what}{of}. Please try again in {wait} s.")
}

/// The names of the path down to an account of it.
fn names_to(path: &Path, account: AccountId) -> String {
    let mut names = String::new();
    for node in path.nodes() {
        if !names.is_empty() {
            names.push('/');
        }
        names.push_str(&node.account.name);
        if node.id() == account {
            break;
        }
    }
    names
}
