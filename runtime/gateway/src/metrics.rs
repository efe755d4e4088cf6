//! Counters and histograms of the data plane, one shard a worker, added up when somebody asks.
//!
//! Label sets are closed: operations, status classes and token kinds are enumerated here, providers are those of the
//! operator, so that a client cannot mint series by inventing model names. Those that OpenTelemetry's conventions for generative AI have for servers are also
//! there under its names, for which it wants other bounds.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tollgate_dialect::Operation;

use crate::semantic::{OPERATION_NAMES, operation_place};

const OPERATIONS: [Operation; 7] = Operation::ALL;
const CLASSES: [&str; 6] = ["2xx", "3xx", "4xx", "5xx", "cancelled", "failed_in_stream"];
const TOKENS: [&str; 5] = ["input", "cache_read", "cache_write", "output", "reasoning"];
/// Upper bounds in milliseconds, as OpenTelemetry wants them for durations.
const SEMANTIC_BOUNDS: [u64; 14] = [
    10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 10_240, 20_480, 40_960, 81_920,
];
/// Providers that are told apart; whatever comes after them is counted as one.
const PROVIDERS: usize = 16;
const OTHER: &str = "_OTHER";
/// Values of `error.type`; none: no failure.
const ERRORS: [Option<&str>; 5] = [
    None,
    Some("4xx"),
    Some("5xx"),
    Some("cancelled"),
    Some("failed_in_stream"),
];
/// Upper bounds in milliseconds.
const BOUNDS: [u64; 14] = [
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 60_000, 600_000,
];

/// How a request ended, for counting.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ended {
    /// With this status, completely.
    Status(u16),
    /// The client went away.
    Cancelled,
    /// With a success status and a failure in the stream.
    FailedInStream,
}

/// One worker's share. Only that worker writes, so the atomics are never contended.
#[derive(Default)]
pub(crate) struct Shard {
    requests: [[AtomicU64; CLASSES.len()]; OPERATIONS.len()],
    tokens: [[AtomicU64; TOKENS.len()]; OPERATIONS.len()],
    charged: AtomicU64,
    first_byte: Histogram,
    total: Histogram,
    /// By provider (the last of those of a request that reached none), operation and kind of failure.
    duration: [[[Histogram; ERRORS.len()]; OPERATION_NAMES.len()]; PROVIDERS + 1],
    open: AtomicU64,
    closed: AtomicU64,
    failovers: AtomicU64,
    late_rows: AtomicU64,
    sockets: AtomicU64,
    sockets_closed: AtomicU64,
}

#[derive(Default)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum: AtomicU64,
}

impl Histogram {
    fn record(&self, bounds: &[u64; BOUNDS.len()], milliseconds: u64) {
        let bucket = bounds
            .iter()
            .position(|bound| milliseconds <= *bound)
            .unwrap_or(bounds.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(milliseconds, Relaxed);
    }
}

/// What a finished request adds.
pub(crate) struct Finished {
    pub(crate) operation: Operation,
    /// Where its provider stands, if it reached one.
    pub(crate) provider: Option<usize>,
    pub(crate) ended: Ended,
    pub(crate) usage: tollgate_dialect::Usage,
    pub(crate) charged: u64,
    pub(crate) first_byte_ms: Option<u64>,
    pub(crate) total_ms: u64,
}

impl Shard {
    pub(crate) fn opened(&self) {
        self.open.fetch_add(1, Relaxed);
    }

    pub(crate) fn socket_opened(&self) {
        self.sockets.fetch_add(1, Relaxed);
    }

    pub(crate) fn socket_closed(&self) {
        self.sockets_closed.fetch_add(1, Relaxed);
    }

    pub(crate) fn failed_over(&self) {
        self.failovers.fetch_add(1, Relaxed);
    }

    pub(crate) fn late_row(&self) {
        self.late_rows.fetch_add(1, Relaxed);
    }

    /// A request refused before it was held.
    pub(crate) fn refused(&self, operation: Operation, status: u16) {
        self.requests[index(operation)][class(Ended::Status(status))].fetch_add(1, Relaxed);
    }

    /// A request about what an operation left behind: how long those take says nothing of answers.
    pub(crate) fn looked_up(&self, operation: Operation, ended: Ended) {
        self.closed.fetch_add(1, Relaxed);
        self.requests[index(operation)][class(ended)].fetch_add(1, Relaxed);
    }

    pub(crate) fn finished(&self, finished: &Finished) {
        let operation = index(finished.operation);
        self.closed.fetch_add(1, Relaxed);
        self.requests[operation][class(finished.ended)].fetch_add(1, Relaxed);
        let usage = &finished.usage;
        let amounts = [
            usage.input,
            usage.cache_read,
            usage.cache_write_5m.saturating_add(usage.cache_write_1h),
            usage.output,
            usage.reasoning,
        ];
        for (counter, amount) in self.tokens[operation].iter().zip(amounts) {
            if amount > 0 {
                counter.fetch_add(amount, Relaxed);
            }
        }
        self.charged.fetch_add(finished.charged, Relaxed);
        if let Some(milliseconds) = finished.first_byte_ms {
            self.first_byte.record(&BOUNDS, milliseconds);
        }
        self.total.record(&BOUNDS, finished.total_ms);
        let provider = finished.provider.unwrap_or(PROVIDERS).min(PROVIDERS);
        self.duration[provider][operation_place(finished.operation)][failure(finished.ended)]
            .record(&SEMANTIC_BOUNDS, finished.total_ms);
    }
}

fn index(operation: Operation) -> usize {
    OPERATIONS
        .iter()
        .position(|known| *known == operation)
        .unwrap_or(0)
}

fn class(ended: Ended) -> usize {
    match ended {
        Ended::Status(status) => usize::from((status / 100).clamp(2, 5) - 2),
        Ended::Cancelled => 4,
        Ended::FailedInStream => 5,
    }
}

/// The place at which a provider is counted; a name that is new gets the next one. Names are never taken out: what was
/// counted stays theirs.
pub(crate) fn provider_place(providers: &mut Vec<String>, name: &str) -> usize {
    let known = providers.iter().position(|known| known == name);
    let place = known.unwrap_or(providers.len());
    if place == providers.len() && place < PROVIDERS {
        let rest = place + 1 == PROVIDERS;
        providers.push(if rest { OTHER } else { name }.to_owned());
    }
    place.min(PROVIDERS - 1)
}

/// Its place among [`ERRORS`].
fn failure(ended: Ended) -> usize {
    match class(ended) {
        // 2xx and 3xx.
        0 | 1 => 0,
        failed => failed - 1,
    }
}

/// Prometheus text over all shards.
pub(crate) fn render<'a>(
    shards: impl Iterator<Item = &'a Shard> + Clone,
    providers: &[String],
) -> String {
    let mut text = String::with_capacity(8 << 10);
    let sum = |read: &dyn Fn(&Shard) -> u64| shards.clone().map(read).sum::<u64>();
    head(
        &mut text,
        "tollgate_requests_total",
        "counter",
        "Requests by operation and how they ended.",
    );
    for (o, operation) in OPERATIONS.iter().enumerate() {
        for (c, class) in CLASSES.iter().enumerate() {
            let n = sum(&|shard| shard.requests[o][c].load(Relaxed));
            if n > 0 {
                line(
                    &mut text,
                    "tollgate_requests_total",
                    &format!("operation=\"{}\",result=\"{class}\"", operation.as_str()),
                    n,
                );
            }
        }
    }
    head(
        &mut text,
        "tollgate_tokens_total",
        "counter",
        "Tokens settled, by operation and kind; input excludes the cache.",
    );
    for (o, operation) in OPERATIONS.iter().enumerate() {
        for (k, kind) in TOKENS.iter().enumerate() {
            let n = sum(&|shard| shard.tokens[o][k].load(Relaxed));
            if n > 0 {
                line(
                    &mut text,
                    "tollgate_tokens_total",
                    &format!("operation=\"{}\",kind=\"{kind}\"", operation.as_str()),
                    n,
                );
            }
        }
    }
    let plain: [(&str, &str, &str, u64); 6] = [
        (
            "tollgate_charged_micro_units_total",
            "counter",
            "Money charged.",
            sum(&|s| s.charged.load(Relaxed)),
        ),
        (
            "tollgate_failovers_total",
            "counter",
            "Attempts given up for another upstream.",
            sum(&|s| s.failovers.load(Relaxed)),
        ),
        (
            "tollgate_usage_rows_late_total",
            "counter",
            "Usage rows that could not be written to the journal at once.",
            sum(&|s| s.late_rows.load(Relaxed)),
        ),
        (
            "tollgate_requests_open",
            "gauge",
            "Requests under way.",
            sum(&|s| s.open.load(Relaxed)).saturating_sub(sum(&|s| s.closed.load(Relaxed))),
        ),
        (
            "tollgate_websockets_total",
            "counter",
            "WebSockets opened.",
            sum(&|s| s.sockets.load(Relaxed)),
        ),
        (
            "tollgate_websockets_open",
            "gauge",
            "WebSockets open.",
            sum(&|s| s.sockets.load(Relaxed))
                .saturating_sub(sum(&|s| s.sockets_closed.load(Relaxed))),
        ),
    ];
    for (name, kind, help, value) in plain {
        head(&mut text, name, kind, help);
        line(&mut text, name, "", value);
    }
    type Pick = fn(&Shard) -> &Histogram;
    let histograms: [(&str, &str, Pick); 2] = [
        (
            "tollgate_time_to_first_byte_milliseconds",
            "From a request's arrival to its answer's first byte.",
            |s| &s.first_byte,
        ),
        (
            "tollgate_request_duration_milliseconds",
            "From a request's arrival to its answer's last byte.",
            |s| &s.total,
        ),
    ];
    for (name, help, pick) in histograms {
        head(&mut text, name, "histogram", help);
        let mut running = 0;
        for (b, bound) in BOUNDS
            .iter()
            .map(u64::to_string)
            .chain(["+Inf".to_owned()])
            .enumerate()
        {
            running += sum(&|shard| pick(shard).buckets[b].load(Relaxed));
            line(
                &mut text,
                &format!("{name}_bucket"),
                &format!("le=\"{bound}\""),
                running,
            );
        }
        line(
            &mut text,
            &format!("{name}_sum"),
            "",
            sum(&|shard| pick(shard).sum.load(Relaxed)),
        );
        line(&mut text, &format!("{name}_count"), "", running);
    }
    semantic(&mut text, providers, &sum);
    text
}

/// Adds up what each worker has counted.
type Sum<'a> = dyn Fn(&dyn Fn(&Shard) -> u64) -> u64 + 'a;

/// The metric that OpenTelemetry's conventions have for servers.
fn semantic(text: &mut String, providers: &[String], sum: &Sum<'_>) {
    let name = "gen_ai_server_request_duration_seconds";
    head(
        text,
        name,
        "histogram",
        "From a request's arrival to its answer's last byte, as OpenTelemetry names it.",
    );
    for p in 0..=PROVIDERS {
        for (o, operation) in OPERATION_NAMES.iter().enumerate() {
            for (e, error) in ERRORS.iter().enumerate() {
                let mut running = 0;
                let counts: Vec<u64> = (0..=SEMANTIC_BOUNDS.len())
                    .map(|place| {
                        running += sum(&|s| s.duration[p][o][e].buckets[place].load(Relaxed));
                        running
                    })
                    .collect();
                if running == 0 {
                    continue;
                }
                let mut labels = format!("gen_ai_operation_name=\"{operation}\"");
                if let Some(provider) = providers.get(p) {
                    let _ = write!(labels, ",gen_ai_provider_name=\"{provider}\"");
                }
                if let Some(error) = error {
                    let _ = write!(labels, ",error_type=\"{error}\"");
                }
                let bounds = SEMANTIC_BOUNDS.map(seconds).into_iter();
                for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&counts) {
                    let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}");
                }
                let total = sum(&|s| s.duration[p][o][e].sum.load(Relaxed));
                let _ = writeln!(text, "{name}_sum{{{labels}}} {}", seconds(total));
                let _ = writeln!(text, "{name}_count{{{labels}}} {running}");
            }
        }
    }
}

/// Milliseconds as seconds, exactly.
fn seconds(milliseconds: u64) -> String {
    let (whole, rest) = (milliseconds / 1_000, milliseconds % 1_000);
    let text = format!("{whole}.{rest:03}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String cannot fail.
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn line(text: &mut String, name: &str, labels: &str, value: u64) {
    let _ = match labels {
        "" => writeln!(text, "{name} {value}"),
        labels => writeln!(text, "{name}{{{labels}}} {value}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_add_up_and_histograms_are_cumulative() {
        let (a, b) = (Shard::default(), Shard::default());
        for (shard, total_ms) in [(&a, 3), (&b, 700)] {
            shard.opened();
            shard.finished(&Finished {
                operation: Operation::Messages,
                provider: None,
                ended: Ended::Status(200),
                usage: tollgate_dialect::Usage {
                    input: 10,
                    output: 5,
                    ..Default::default()
                },
                charged: 7,
                first_byte_ms: Some(total_ms),
                total_ms,
            });
        }
        let text = render([&a, &b].into_iter(), &[]);
        for expected in [
            "tollgate_requests_total{operation=\"messages\",result=\"2xx\"} 2",
            "tollgate_tokens_total{operation=\"messages\",kind=\"input\"} 20",
            "tollgate_charged_micro_units_total 14",
            "tollgate_requests_open 0",
            "tollgate_request_duration_milliseconds_bucket{le=\"5\"} 1",
            "tollgate_request_duration_milliseconds_bucket{le=\"+Inf\"} 2",
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
    }

    #[test]
    fn durations_are_there_under_the_names_of_the_conventions_by_kind_of_failure() {
        let shard = Shard::default();
        for (operation, provider, ended, total_ms) in [
            (Operation::Messages, Some(0), Ended::Status(200), 9),
            (Operation::Responses, Some(0), Ended::Status(200), 90_000),
            (Operation::Responses, None, Ended::Status(429), 1),
            (Operation::Messages, Some(1), Ended::FailedInStream, 1_280),
            (Operation::Embeddings, Some(1), Ended::Cancelled, 40),
        ] {
            shard.finished(&Finished {
                operation,
                provider,
                ended,
                usage: tollgate_dialect::Usage::default(),
                charged: 0,
                first_byte_ms: None,
                total_ms,
            });
        }
        let providers = ["one".to_owned(), "two".to_owned()];
        let text = render([&shard].into_iter(), &providers);
        let name = "gen_ai_server_request_duration_seconds";
        for expected in [
            "_bucket{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"one\",le=\"0.01\"} 1\n",
            "_bucket{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"one\",le=\"81.92\"} 1\n",
            "_bucket{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"one\",le=\"+Inf\"} 2\n",
            "_sum{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"one\"} 90.009\n",
            "_count{gen_ai_operation_name=\"chat\",error_type=\"4xx\"} 1\n",
            "_bucket{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"two\",error_type=\"failed_in_stream\",le=\"1.28\"} 1\n",
            "_bucket{gen_ai_operation_name=\"embeddings\",gen_ai_provider_name=\"two\",error_type=\"cancelled\",le=\"0.04\"} 1\n",
        ] {
            let expected = format!("{name}{expected}");
            assert!(text.contains(&expected), "{expected} is missing in\n{text}");
        }
        // What never happened has no series.
        assert!(!text.contains("count_tokens"));
        assert_eq!(
            [0, 5, 10, 1_000, 1_280, 90_009].map(seconds),
            ["0", "0.005", "0.01", "1", "1.28", "90.009"]
        );
    }

    #[test]
    fn providers_keep_their_places_and_those_beyond_are_counted_as_one() {
        let mut providers = Vec::new();
        for round in 0..2 {
            for n in 0..20 {
                let place = provider_place(&mut providers, &format!("p{n}"));
                assert_eq!(place, n.min(PROVIDERS - 1), "{round}");
            }
        }
        assert_eq!(providers.len(), PROVIDERS);
        assert_eq!((&*providers[0], &*providers[15]), ("p0", OTHER));
    }
}
