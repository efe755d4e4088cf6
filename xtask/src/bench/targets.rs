//! What the gateway is to reach, beside what it reached: in microseconds, or as multiples of nginx in the same run, as machines
//! differ.

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

/// A table with a line for each target that was measured.
pub(super) fn table(results: &Results) -> String {
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
more than they say, or, as this machine may be slower than that one, no more as a multiple of nginx in this run.

| | load | measured | × nginx | target | |
|---|---|---:|---:|---:|---|
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
    let verdict = match target.figure.reached(ours, ratio) {
        true => "reached",
        false => "**missed**",
    };
    Some(format!(
        "| {} | {}, {what} | {measured} | {ratio:.2} | {bound} | {verdict} |\n",
        row.label,
        target.load.title(),
    ))
}
