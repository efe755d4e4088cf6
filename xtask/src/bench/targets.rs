//! What the gateway is to reach, beside what it reached: in microseconds, or as multiples of nginx in the same run, as machines
//! differ; and what its parts are to reach by themselves.

use std::fmt::Write as _;

use super::load::{Load, Sample};
use super::report::{Results, Row};

/// What is compared with nginx, and what is planned.
#[derive(Clone, Copy)]
enum Figure {
    /// Microseconds of CPU time: ours at most, and those of nginx where the plan was made.
    Cpu { ours: f64, nginx: f64 },
    /// Our rate by that of nginx, at least.
    Rate(f64),
}

struct Target {
    load: Load,
    figure: Figure,
    rows: &'static [&'static str],
}

/// Rows with provider and two policies.
const WHOLE: [&str; 2] = ["policies", "strict"];
const BRIDGED: [&str; 1] = ["bridge"];

/// The plan's microseconds, with provider and two policies and over the bridge.
const TARGETS: [Target; 6] = [
    Target {
        load: Load::Json(32),
        figure: Figure::Cpu {
            ours: 40.0,
            nginx: 17.0,
        },
        rows: &WHOLE,
    },
    Target {
        load: Load::Json(32),
        figure: Figure::Rate(0.45),
        rows: &WHOLE,
    },
    Target {
        load: Load::Burst(32),
        figure: Figure::Cpu {
            ours: 75.0,
            nginx: 33.0,
        },
        rows: &WHOLE,
    },
    Target {
        load: Load::Burst(32),
        figure: Figure::Rate(0.45),
        rows: &WHOLE,
    },
    Target {
        load: Load::Json(32),
        figure: Figure::Cpu {
            ours: 70.0,
            nginx: 17.0,
        },
        rows: &BRIDGED,
    },
    Target {
        load: Load::Burst(32),
        figure: Figure::Cpu {
            ours: 150.0,
            nginx: 33.0,
        },
        rows: &BRIDGED,
    },
];

impl Figure {
    fn of(self, sample: &Sample) -> Option<f64> {
        match self {
            Self::Cpu { .. } => sample.cpu,
            Self::Rate(_) => Some(sample.rate),
        }
    }

    /// As a multiple of nginx's.
    fn wanted(self) -> f64 {
        match self {
            Self::Cpu { ours, nginx } => ours / nginx,
            Self::Rate(wanted) => wanted,
        }
    }

    fn reached(self, measured: f64, ratio: f64) -> bool {
        match self {
            Self::Cpu { ours, .. } => measured <= ours || ratio <= self.wanted(),
            Self::Rate(wanted) => ratio >= wanted,
        }
    }
}

/// A bound of a part of the gateway, measured without HTTP, so that nginx has nothing to be compared with.
pub(super) struct Part {
    what: String,
    which: String,
    measured: String,
    bound: String,
    /// None: not measured.
    reached: Option<bool>,
}

impl Part {
    /// A figure that is to stay at or below its bound.
    pub(super) fn at_most(
        what: &str,
        which: &str,
        measured: Option<f64>,
        bound: f64,
        shown: impl Fn(f64) -> String,
    ) -> Self {
        Self {
            what: what.to_owned(),
            which: which.to_owned(),
            measured: measured.map_or_else(|| "–".to_owned(), &shown),
            bound: format!("≤ {}", shown(bound)),
            reached: measured.map(|measured| measured <= bound),
        }
    }

    /// With a remark behind what was measured.
    pub(super) fn noted(mut self, note: &str) -> Self {
        self.measured.push_str(note);
        self
    }
}

/// The tables of targets, each with a line for whatever was measured.
pub(super) fn table(results: &Results) -> String {
    let mut out = against_nginx(results);
    let benches = results.dialect.iter();
    let scale = results.scale.iter();
    let parts: Vec<Part> = benches
        .flat_map(|benches| super::dialect::targets(benches))
        .chain(scale.flat_map(super::scale::targets))
        .collect();
    if !parts.is_empty() {
        out.push_str(PARTS);
        out.push_str(&shown(&parts));
    }
    out
}

/// A line each.
pub(super) fn shown(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            part.what,
            part.which,
            part.measured,
            part.bound,
            verdict(part.reached),
        );
    }
    out
}

fn verdict(reached: Option<bool>) -> &'static str {
    match reached {
        Some(true) => "reached",
        Some(false) => "**missed**",
        None => "**not measured**",
    }
}

/// A line for each target that was measured.
fn against_nginx(results: &Results) -> String {
    let mut out = String::new();
    let named = |name: &str| results.rows.iter().find(|row| row.name == name);
    let Some(nginx) = named("nginx") else {
        return out;
    };
    for target in &TARGETS {
        for row in target.rows.iter().filter_map(|name| named(name)) {
            if let Some(line) = line(target, row, nginx) {
                out.push_str(&line);
            }
        }
    }
    if !out.is_empty() {
        out.insert_str(0, HEAD);
    }
    out
}

const HEAD: &str = "
### Targets

The plan's microseconds are those of a machine on which nginx takes 17 for a JSON request and 33 for a burst. Reached is what takes no
more than they say, or, as this machine may be slower than that one, no more as a multiple of nginx in this run. They are for
concurrency 32. With one request at a time all sleep in between and CPU time is largely that of waking, nginx's, too: its table is below.

| | load | measured | × nginx | target | |
|---|---|---:|---:|---:|---|
";

const PARTS: &str = "
### Targets of single parts

One core, without HTTP. Admission is hold and settlement in memory (p50), in the largest tree measured; finding the key and its path
comes before it and is told in its rows below. Flat is a quarter more at most than in the small tree: a fifth is what two runs of the same
differ by. The work is the same in both; what grows is waiting for memory, told as looks one behind the other (`performance.md`).

| | | measured | target | |
|---|---|---:|---:|---|
";

fn line(target: &Target, row: &Row, nginx: &Row) -> Option<String> {
    let of = |row: &Row| target.figure.of(row.median(target.load)?);
    let (ours, theirs) = (of(row)?, of(nginx)?);
    let ratio = ours / theirs;
    let wanted = target.figure.wanted();
    let (what, measured, bound) = match target.figure {
        Figure::Cpu { ours: planned, .. } => (
            "CPU",
            format!("{ours:.1} µs"),
            format!("≤ {wanted:.2} ({planned:.0} µs)"),
        ),
        Figure::Rate(_) => ("rate", format!("{ours:.0}/s"), format!("≥ {wanted:.2}")),
    };
    let verdict = verdict(Some(target.figure.reached(ours, ratio)));
    Some(format!(
        "| {} | {}, {what} | {measured} | {ratio:.2} | {bound} | {verdict} |\n",
        row.label,
        target.load.title(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_reached_up_to_itself_and_only_by_what_was_measured() {
        let judged = |measured| {
            let part = Part::at_most("a", "b", measured, 2.0, |n| format!("{n:.1} µs"));
            shown(&[part.noted("!")])
        };
        assert_eq!(
            judged(Some(2.0)),
            "| a | b | 2.0 µs! | ≤ 2.0 µs | reached |\n"
        );
        assert!(judged(Some(2.01)).ends_with("| **missed** |\n"));
        assert_eq!(
            judged(None),
            "| a | b | –! | ≤ 2.0 µs | **not measured** |\n"
        );
    }

    #[test]
    fn cpu_time_is_reached_in_microseconds_or_as_a_multiple_of_nginx() {
        let figure = Figure::Cpu {
            ours: 70.0,
            nginx: 17.0,
        };
        assert!(figure.reached(70.0, 9.0) && figure.reached(99.0, 70.0 / 17.0));
        assert!(!figure.reached(70.1, 4.2));
    }
}
