//! The order of things: idle memory, then rounds of windows over all targets, then what was counted.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::load::{CHAT, Driver, Load, MESSAGES, Sample, To, body};
use super::process::{self, CpuTime, Pinned};
use super::programs::Programs;
use super::report::{Asked, Cell, Row, Usage};
use super::{Options, api};
use crate::tools::say;

/// A failed window is run again this often.
const REPEATS: usize = 2;
/// After a load: connections close, rows are written.
const SETTLE: Duration = Duration::from_millis(200);

/// Something to measure.
pub(crate) struct Target {
    name: &'static str,
    label: &'static str,
    /// None: nothing lies between client and upstream.
    process: Option<Pinned>,
    address: String,
    key: String,
    /// It is asked in Messages, and the upstream speaks Chat Completions.
    bridged: bool,
    /// Its answers say what the upstream's say, but need not be cut in the same places.
    rewritten: bool,
    /// A gateway's management API, where it says what it has recorded.
    usage: Option<(SocketAddr, String)>,
}

impl Target {
    /// The upstream itself.
    pub(crate) fn direct(address: &str) -> Self {
        Self {
            name: "direct",
            label: "direct (wrk and upstream on one core)",
            process: None,
            address: address.to_owned(),
            key: "none".to_owned(),
            bridged: false,
            rewritten: false,
            usage: None,
        }
    }

    /// A process that listens.
    pub(crate) fn running(
        name: &'static str,
        label: &'static str,
        process: Pinned,
        address: &str,
        key: &str,
    ) -> Self {
        Self {
            name,
            label,
            process: Some(process),
            address: address.to_owned(),
            key: key.to_owned(),
            bridged: false,
            rewritten: false,
            usage: None,
        }
    }

    pub(crate) fn with_usage(mut self, management: (SocketAddr, String)) -> Self {
        self.usage = Some(management);
        self
    }

    pub(crate) fn bridged(mut self) -> Self {
        self.bridged = true;
        self.rewritten = true;
        self
    }

    pub(crate) fn rewritten(mut self) -> Self {
        self.rewritten = true;
        self
    }

    /// Whether a load fits. The client of paced streams waits for the 24 events that the upstream wrote: Messages has others, and
    /// who reads the text first may cut it anew.
    fn takes(&self, load: Load) -> bool {
        !self.rewritten || !matches!(load, Load::Paced(_))
    }

    fn path(&self) -> &'static str {
        match self.bridged {
            true => MESSAGES,
            false => CHAT,
        }
    }

    fn cpu_time(&self) -> Option<CpuTime> {
        self.process
            .as_ref()
            .map(|process| CpuTime::of(process.id()))
    }

    fn resident_mib(&self) -> Option<f64> {
        self.process
            .as_ref()
            .map(|process| process::resident(process.id()) as f64 / f64::from(1 << 20))
    }

    /// Asks once for each kind of answer and looks at all of it.
    fn check(&self, expected: &[(u16, Vec<u8>)]) -> Result<()> {
        let address: SocketAddr = self.address.parse()?;
        for (stream, expected) in [false, true].into_iter().zip(expected) {
            let got = api::call(
                address,
                "POST",
                self.path(),
                &self.key,
                &body(self.path(), stream),
            )?;
            ensure!(
                got.0 == 200,
                "answered {}: {}",
                got.0,
                String::from_utf8_lossy(&got.1)
            );
            let (got, expected) = (&got.1, &expected.1);
            if self.rewritten {
                // Another dialect or other pieces: what was said must be there, to its end.
                let text = String::from_utf8_lossy(got);
                let (said, end) = match (stream, self.bridged) {
                    (false, true) => ("A gateway adds nothing", "\"stop_reason\":\"end_turn\""),
                    (false, false) => ("A gateway adds nothing", "\"finish_reason\":\"stop\""),
                    (true, true) => (" token19", "event: message_stop"),
                    (true, false) => ("token19", "data: [DONE]"),
                };
                ensure!(
                    text.contains(said) && text.contains(end),
                    "answered `{text}`"
                );
                continue;
            }
            let same = got.iter().zip(expected).take_while(|(a, b)| a == b).count();
            ensure!(
                got == expected,
                "the answer differs from the upstream's from byte {same} on: `{}`",
                String::from_utf8_lossy(got.get(same..).unwrap_or_default())
            );
        }
        Ok(())
    }

    /// Usage rows recorded so far of what came to a good end. A stream whose last event tells a failure is a success for the
    /// load generator, but not for the gateway; what the load generator gave up at its end is in neither.
    fn rows(&self) -> Result<Option<u64>> {
        let Some((management, token)) = &self.usage else {
            return Ok(None);
        };
        let page = api::manage(*management, token, "GET", "/api/usage/report", &Value::Null)?;
        let count = |name: &str| {
            let number = page["totals"][name].as_u64();
            number.with_context(|| format!("no number of {name} in {page}"))
        };
        Ok(Some(
            count("requests")? - count("refused")? - count("failed")?,
        ))
    }
}

/// Measures all targets under all loads.
pub(crate) fn all(
    options: &Options,
    programs: &Programs,
    upstream: &str,
    targets: Vec<Target>,
    scratch: &Path,
) -> Result<Vec<Row>> {
    let driver = Driver::new(&programs.load, scratch)?;
    let expected = [false, true]
        .map(|stream| api::call(upstream.parse()?, "POST", CHAT, "", &body(CHAT, stream)))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    for target in &targets {
        target
            .check(&expected)
            .with_context(|| format!("{} does not answer as it should", target.name))?;
        rows.push(idle(target, options));
    }
    // The look at its answers above asked each of them, too.
    let first = Asked {
        answered: expected.len() as u64,
        left_open: Some(0),
    };
    let mut asked = vec![first; targets.len()];
    for round in 1..=options.rounds {
        for load in Load::ALL {
            say(&format!(
                "round {round} of {}: {}",
                options.rounds,
                load.title()
            ));
            for ((target, row), asked) in targets.iter().zip(&mut rows).zip(&mut asked) {
                if !target.takes(load) {
                    continue;
                }
                let (outcome, repeated) = window(options, &driver, target, load, asked);
                row.cell(load).note(outcome);
                row.cell(load).repeated.extend(repeated);
                row.rss_loaded_mib = target
                    .resident_mib()
                    .map(|now| row.rss_loaded_mib.map_or(now, |most| most.max(now)));
            }
        }
    }
    for ((target, row), asked) in targets.iter().zip(&mut rows).zip(&asked) {
        row.usage = usage(target, *asked)?;
    }
    Ok(rows)
}

/// Memory and CPU time of a target that does nothing.
fn idle(target: &Target, options: &Options) -> Row {
    sleep(if options.quick {
        SETTLE
    } else {
        Duration::from_secs(2)
    });
    let (began, before) = (Instant::now(), target.cpu_time());
    sleep(Duration::from_secs(1));
    let idle = target.cpu_time().zip(before).map(|(after, before)| {
        let seconds = began.elapsed().as_secs_f64();
        after.since(&before) as f64 / 1e6 / seconds
    });
    let loads = Load::ALL.into_iter().filter(|load| target.takes(*load));
    Row {
        name: target.name.to_owned(),
        label: target.label.to_owned(),
        rss_idle_mib: target.resident_mib(),
        rss_loaded_mib: None,
        idle_cpu_ms_per_s: idle,
        usage: None,
        cells: loads.map(Cell::new).collect(),
    }
}

/// One window that counts, or the reason why none did; and why others were thrown away before it.
fn window(
    options: &Options,
    driver: &Driver,
    target: &Target,
    load: Load,
    asked: &mut Asked,
) -> (std::result::Result<Sample, String>, Vec<String>) {
    let to = To {
        address: &target.address,
        key: &target.key,
        path: target.path(),
    };
    let (length, warm_up) = options.window();
    let mut thrown_away = Vec::new();
    for _ in 0..=REPEATS {
        let outcome = driver.run(load, &to, warm_up).and_then(|warm| {
            sleep(SETTLE);
            let before = target.cpu_time();
            let mut sample = driver.run(load, &to, length)?;
            sleep(SETTLE);
            let used = target
                .cpu_time()
                .zip(before)
                .map(|(after, before)| after.since(&before));
            sample.cpu = used.map(|ns| ns as f64 / 1e3 / sample.count as f64);
            asked.answered += warm.count + sample.count;
            asked.left_open = asked
                .left_open
                .map(|open| open + 2 * load.left_open() as u64);
            Ok(sample)
        });
        match outcome {
            Ok(sample) => return (Ok(sample), thrown_away),
            Err(error) => {
                asked.left_open = None;
                thrown_away.push(format!("{error:#}"));
            }
        }
    }
    (Err(thrown_away.pop().unwrap_or_default()), thrown_away)
}

/// Every answered request has left a row.
fn usage(target: &Target, asked: Asked) -> Result<Option<Usage>> {
    let began = Instant::now();
    loop {
        let Some(rows) = target.rows()? else {
            return Ok(None);
        };
        if rows >= asked.answered || began.elapsed() > Duration::from_secs(10) {
            return Ok(Some(Usage { asked, rows }));
        }
        sleep(SETTLE);
    }
}
