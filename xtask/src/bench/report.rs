//! What was measured, as a table, as JSON and as the page `docs/bench.md`.

use std::fmt::Write as _;

use serde::Serialize;

use super::load::{Load, Sample};
use super::machine::Machine;

/// A whole measurement.
#[derive(Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) rounds: usize,
    pub(crate) window_ms: u64,
    pub(crate) rows: Vec<Row>,
    pub(crate) dialect: Option<Vec<super::dialect::Bench>>,
    /// What examples of governance and store measured of themselves.
    pub(crate) scale: Option<serde_json::Value>,
}

/// One target.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) rss_idle_mib: Option<f64>,
    /// The most that was seen after a window.
    pub(crate) rss_loaded_mib: Option<f64>,
    pub(crate) idle_cpu_ms_per_s: Option<f64>,
    pub(crate) usage: Option<Usage>,
    pub(crate) cells: Vec<Cell>,
}

/// What a gateway was asked, as the load generators counted.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Asked {
    /// Answered whole.
    pub(crate) answered: u64,
    /// Left unfinished at the end of windows, at most: the gateway may have finished each of them all the same. None: a
    /// window was thrown away, and nobody counted what was answered in it.
    pub(crate) left_open: Option<u64>,
}

/// What a gateway recorded of what it answered, and of nothing else.
#[derive(Serialize)]
pub(crate) struct Usage {
    #[serde(flatten)]
    pub(crate) asked: Asked,
    pub(crate) rows: u64,
}

impl Usage {
    /// A row for each answer, and none for what nobody can have been answered.
    fn adds_up(&self) -> bool {
        let Asked {
            answered,
            left_open,
        } = self.asked;
        let most = left_open.map(|open| answered + open);
        self.rows >= answered && most.is_none_or(|most| self.rows <= most)
    }
}

/// One target under one load.
#[derive(Serialize)]
pub(crate) struct Cell {
    pub(crate) load: String,
    pub(crate) samples: Vec<Sample>,
    pub(crate) failed: Vec<String>,
    /// Why windows were thrown away and run again.
    pub(crate) repeated: Vec<String>,
    pub(crate) median: Option<Sample>,
}

impl Cell {
    pub(crate) fn new(load: Load) -> Self {
        Self {
            load: load.name(),
            samples: Vec::new(),
            failed: Vec::new(),
            repeated: Vec::new(),
            median: None,
        }
    }

    pub(crate) fn note(&mut self, outcome: Result<Sample, String>) {
        match outcome {
            Ok(sample) => self.samples.push(sample),
            Err(reason) => self.failed.push(reason),
        }
        self.median = medians(&self.samples);
    }
}

impl Row {
    pub(crate) fn cell(&mut self, load: Load) -> &mut Cell {
        let name = load.name();
        let at = self
            .cells
            .iter()
            .position(|cell| cell.load == name)
            .unwrap_or_default();
        &mut self.cells[at]
    }

    /// Whether it was put under a load at all.
    fn takes(&self, load: Load) -> bool {
        let name = load.name();
        self.cells.iter().any(|cell| cell.load == name)
    }

    pub(super) fn median(&self, load: Load) -> Option<&Sample> {
        let name = load.name();
        self.cells
            .iter()
            .find(|cell| cell.load == name)?
            .median
            .as_ref()
    }
}

/// The median of each number by itself.
fn medians(samples: &[Sample]) -> Option<Sample> {
    let of = |number: &dyn Fn(&Sample) -> Option<f64>| {
        let mut numbers: Vec<f64> = samples.iter().filter_map(number).collect();
        numbers.sort_by(f64::total_cmp);
        let (low, high) = (numbers.len().checked_sub(1)? / 2, numbers.len() / 2);
        Some((numbers.get(low)? + numbers.get(high)?) / 2.0)
    };
    Some(Sample {
        count: of(&|s| Some(s.count as f64))? as u64,
        cpu: of(&|s| s.cpu),
        rate: of(&|s| Some(s.rate))?,
        p50: of(&|s| Some(s.p50))?,
        p99: of(&|s| Some(s.p99))?,
        first_p50: of(&|s| s.first_p50),
        late_p99: of(&|s| s.late_p99),
    })
}

/// Windows that were thrown away and run again, with the reason.
fn repeats(results: &Results) -> Vec<String> {
    let cells = results.rows.iter().flat_map(|row| {
        let cells = row.cells.iter();
        cells.map(move |cell| (&row.name, cell))
    });
    cells
        .flat_map(|(name, cell)| {
            let reasons = cell.repeated.iter();
            reasons.map(move |reason| format!("{name} under {}: {reason}", cell.load))
        })
        .collect()
}

/// Windows that never succeeded, with the reason.
pub(crate) fn failures(results: &Results) -> Vec<String> {
    let mut all = Vec::new();
    for row in &results.rows {
        for cell in &row.cells {
            all.extend(
                cell.failed
                    .iter()
                    .map(|reason| format!("{} under {}: {reason}", row.name, cell.load)),
            );
        }
        if let Some(usage) = &row.usage
            && !usage.adds_up()
        {
            let open = usage.asked.left_open.unwrap_or_default();
            all.push(format!(
                "{}: {} usage rows of a good end for {} answers, and at most {open} that were left open",
                row.name, usage.rows, usage.asked.answered
            ));
        }
    }
    all
}

/// The tables, in Markdown that is readable as it stands.
pub(crate) fn table(results: &Results) -> String {
    let mut out = super::targets::table(results);
    if !results.rows.is_empty() {
        out.push_str(&loads(results));
        out.push_str(&memory(results));
    }
    if let Some(benches) = &results.dialect {
        out.push_str(&super::dialect::table(benches));
    }
    if let Some(scale) = &results.scale {
        out.push_str(&super::scale::table(scale));
    }
    out
}

/// A table for each load.
fn loads(results: &Results) -> String {
    let mut out = String::new();
    let nginx = results.rows.iter().find(|row| row.name == "nginx");
    for load in Load::ALL {
        let paced = matches!(load, Load::Paced(_));
        let _ = writeln!(out, "\n### {}\n", load.title());
        let mut lines = vec![heading(load, paced)];
        let floor = nginx.and_then(|row| row.median(load));
        let (taking, others): (Vec<_>, Vec<_>) =
            results.rows.iter().partition(|row| row.takes(load));
        lines.extend(taking.into_iter().map(|row| line(row, load, floor, paced)));
        out.push_str(&aligned(&lines));
        if !others.is_empty() {
            let names: Vec<_> = others
                .iter()
                .map(|row| format!("“{}”", row.label))
                .collect();
            let _ = writeln!(
                out,
                "\nNot under this load: {}. {UNFIT}",
                names.join(" and ")
            );
        }
    }
    out
}

/// Why a load is not everybody's.
const UNFIT: &str = "\
Its client watches each of the 24 events that the upstream
writes; Messages has other events, and text that a policy reads comes in other pieces. What an event costs there is in the bursts.";

fn memory(results: &Results) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "\n### Memory, and a gateway at rest\n");
    let mut lines = vec![
        [
            "",
            "RSS idle MiB",
            "RSS loaded MiB",
            "idle CPU ms/s",
            "answers",
            "good usage rows",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for row in results.rows.iter().filter(|row| row.rss_idle_mib.is_some()) {
        let counted = |pick: fn(&Usage) -> u64| {
            row.usage
                .as_ref()
                .map_or_else(String::new, |usage| pick(usage).to_string())
        };
        lines.push(vec![
            row.label.clone(),
            number(row.rss_idle_mib, 1),
            number(row.rss_loaded_mib, 1),
            number(row.idle_cpu_ms_per_s, 2),
            counted(|usage| usage.asked.answered),
            counted(|usage| usage.rows),
        ]);
    }
    out.push_str(&aligned(&lines));
    out
}

fn heading(load: Load, paced: bool) -> Vec<String> {
    let mut heading = vec![
        String::new(),
        format!("CPU µs/{}", load.unit()),
        "× nginx".to_owned(),
    ];
    if paced {
        heading.extend(
            [
                "CPU µs/event",
                "first event ms",
                "stream p50 ms",
                "stream p99 ms",
                "event late p99 ms",
            ]
            .map(str::to_owned),
        );
    } else {
        heading.extend([
            format!("{}s/s", load.unit()),
            "÷ nginx".to_owned(),
            "p50 ms".to_owned(),
            "p99 ms".to_owned(),
        ]);
    }
    heading
}

fn line(row: &Row, load: Load, floor: Option<&Sample>, paced: bool) -> Vec<String> {
    const EVENTS: f64 = 24.0;
    let Some(sample) = row.median(load) else {
        let mut cells = row.cells.iter();
        let failed = cells.any(|cell| cell.load == load.name() && !cell.failed.is_empty());
        let told = if failed { "failed" } else { "not measured" };
        return vec![row.label.clone(), told.to_owned()];
    };
    let ms = |us: f64| number(Some(us / 1e3), 2);
    let ratio = sample
        .cpu
        .zip(floor.and_then(|floor| floor.cpu))
        .map(|(ours, nginx)| ours / nginx);
    let mut line = vec![row.label.clone(), number(sample.cpu, 1), number(ratio, 2)];
    if paced {
        line.extend([
            number(sample.cpu.map(|cpu| cpu / EVENTS), 1),
            sample.first_p50.map_or_else(String::new, ms),
            ms(sample.p50),
            ms(sample.p99),
            sample.late_p99.map_or_else(String::new, ms),
        ]);
    } else {
        let rate = floor.map(|floor| sample.rate / floor.rate);
        line.extend([
            number(Some(sample.rate), 0),
            number(rate, 2),
            ms(sample.p50),
            ms(sample.p99),
        ]);
    }
    line
}

pub(super) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

/// A Markdown table whose columns stand under each other.
pub(super) fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let cell = |line: &[String], column: usize| line.get(column).cloned().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            lines
                .iter()
                .map(|line| cell(line, column).chars().count())
                .max()
                .unwrap_or(0)
                .max(3)
        })
        .collect();
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (column, width) in widths.iter().enumerate() {
            let text = cell(line, column);
            let pad = " ".repeat(width.saturating_sub(text.chars().count()));
            let _ = if column == 0 {
                write!(out, "| {text}{pad} ")
            } else {
                write!(out, "| {pad}{text} ")
            };
        }
        out.push_str("|\n");
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                let dashes = "-".repeat(width + 1);
                let _ = if column == 0 {
                    write!(out, "|-{dashes}")
                } else {
                    write!(out, "|{dashes}:")
                };
            }
            out.push_str("|\n");
        }
    }
    out
}

/// `docs/bench.md`.
pub(crate) fn page(results: &Results) -> String {
    let machine = &results.machine;
    let mut out = String::from("# Measurements\n\n");
    out.push_str("Written by `cargo xtask bench --write`; do not edit. Numbers of different runs do not compare: look at the ratios to nginx within one.\n\n");
    let _ = writeln!(
        out,
        "Machine: {}, {} cores, {} MiB, Linux {}. {}, {}, {}. Commit {}, {}; {} rounds, windows of {} s, medians. Busy with other things before: {:.0} %.\n",
        machine.cpu,
        machine.cores,
        machine.memory_mib,
        machine.kernel,
        machine.nginx,
        machine.wrk,
        machine.rustc,
        machine.commit,
        machine.stamp,
        results.rounds,
        results.window_ms as f64 / 1e3,
        machine.busy_percent,
    );
    out.push_str(METHOD);
    out.push_str(&table(results));
    let failed = failures(results);
    let repeated = repeats(results);
    if !repeated.is_empty() {
        out.push_str("\n### Thrown away\n\nThese windows had errors and were run again.\n\n");
        for repeat in repeated {
            let _ = writeln!(out, "- {repeat}");
        }
    }
    if !failed.is_empty() {
        out.push_str("\n### Failed\n\nThese windows had errors, were repeated, failed again and are not counted.\n\n");
        for failure in failed {
            let _ = writeln!(out, "- {failure}");
        }
    }
    out
}

const METHOD: &str = "\
How: what is measured is pinned to core 0 with one worker; the canned upstream (577 bytes of JSON, or 24 events of together
6.4 KB) and the load generator share core 1. CPU µs is the user and system time of all threads and children of the measured
program, divided by the requests or streams that were answered whole. nginx does `proxy_pass` with `proxy_buffering off` over
kept connections and checks nothing. In each mode tollgate checks a key, walks a path of three accounts with a request rate and a
daily limit on two of them, and writes a durable usage row (default settings, `durable = \"power-loss\"`). The two policies are
`office-hours` (admission) and `model-tiers` (routing). A window with one failed request is thrown away, told below, and run again.
`direct` shares one core between upstream and load generator, so it is a ceiling for the rates only as far as that core goes.
Good usage rows are a few more than answers: a window ends by the clock, in the midst of one request on each connection, which the
gateway mostly finishes and the load generator does not count; more of them than connections times windows is a failure.
The plan's target is that of the row `as shipped`: a plan that is a function of the request alone is remembered. A vendor whose
`prepare` is none, or that signs or reads the clock, pays the row `all called each time`.
What dominates, and what has been tried: `performance.md`.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cpu: f64, rate: f64) -> Sample {
        Sample {
            count: 1,
            cpu: Some(cpu),
            rate,
            ..Sample::default()
        }
    }

    #[test]
    fn medians_are_of_each_number_by_itself() {
        let median =
            medians(&[sample(3.0, 10.0), sample(1.0, 30.0), sample(2.0, 20.0)]).expect("a median");
        assert_eq!(
            (median.cpu, median.rate, median.first_p50),
            (Some(2.0), 20.0, None)
        );
        let median = medians(&[sample(1.0, 1.0), sample(2.0, 3.0)]).expect("a median");
        assert_eq!((median.cpu, median.rate), (Some(1.5), 2.0));
        assert!(medians(&[]).is_none());
    }

    #[test]
    fn a_gateway_that_writes_too_few_or_too_many_rows_is_found() {
        let adds_up = |rows, left_open| {
            let asked = Asked {
                answered: 100,
                left_open,
            };
            Usage { asked, rows }.adds_up()
        };
        assert!(adds_up(100, Some(0)) && adds_up(132, Some(32)));
        assert!(!adds_up(99, Some(32)), "an answer without a row");
        assert!(!adds_up(133, Some(32)), "a row without an answer");
        assert!(
            adds_up(133, None) && !adds_up(99, None),
            "a window was thrown away: only too few can be told"
        );
    }

    #[test]
    fn a_failed_window_is_reported_and_not_counted() {
        let mut cell = Cell::new(Load::Json(1));
        cell.note(Ok(sample(5.0, 1.0)));
        cell.note(Err("3 status errors".to_owned()));
        assert_eq!((cell.samples.len(), cell.failed.len()), (1, 1));
        assert_eq!(cell.median.and_then(|median| median.cpu), Some(5.0));
    }

    #[test]
    fn a_load_that_does_not_fit_is_told_under_its_table_and_no_row_is_empty() {
        let row = |label: &str, loads: &[Load]| Row {
            name: label.to_owned(),
            label: label.to_owned(),
            rss_idle_mib: None,
            rss_loaded_mib: None,
            idle_cpu_ms_per_s: None,
            usage: None,
            cells: loads.iter().map(|load| Cell::new(*load)).collect(),
        };
        let machine = Machine::look().expect("a machine");
        let rows = vec![
            row("plain", &Load::ALL),
            row("bridged", &[Load::Json(1), Load::Burst(32)]),
        ];
        let results = Results {
            machine,
            rounds: 1,
            window_ms: 1,
            rows,
            dialect: None,
            scale: None,
        };
        let tables = loads(&results);
        let paced = tables.rsplit("### ").next().unwrap_or_default();
        assert!(
            paced.contains("| plain ") && !paced.contains("| bridged"),
            "{paced}"
        );
        assert!(
            paced.contains("Not under this load: “bridged”. "),
            "{paced}"
        );
        let json = tables.split("### ").nth(1).unwrap_or_default();
        assert!(
            json.contains("| bridged ") && !json.contains("Not under"),
            "{json}"
        );
    }
}
