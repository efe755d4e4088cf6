//! `tollgate doctor`: looks at everything that must be right, touches nothing, opens no connection but to the gateway.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use tollgate_gateway::config::Config;
use tollgate_gateway::control::data_dir::{DIR_MODE, DataDir, SECRET_MODE, check_mode};
use tollgate_gateway::control::{Control, StartError, master_key_source};

use crate::api::{self, Api};
use crate::args::Place;
use crate::table::table;
use crate::{configuration, report};

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Fine,
    Note,
    Wrong,
}

/// One line of the report.
#[derive(Debug)]
struct Finding {
    what: String,
    mark: Mark,
    why: String,
}

/// Prints what was found. The exit code says whether anything is wrong.
///
/// # Errors
/// Standard output fails.
pub(crate) fn run(place: &Place) -> anyhow::Result<ExitCode> {
    let findings = look(place);
    let wrong = findings.iter().any(|finding| finding.mark == Mark::Wrong);
    if place.json {
        let rows: Vec<Value> = findings
            .iter()
            .map(|f| json!({ "check": f.what, "state": word(f.mark), "detail": f.why }))
            .collect();
        report::json(&json!({ "fine": !wrong, "findings": rows }))?;
    } else {
        let rows: Vec<_> = findings
            .iter()
            .map(|f| vec![f.what.clone(), word(f.mark).to_owned(), f.why.clone()])
            .collect();
        report::print(&table(&["CHECK", "STATE", "DETAIL"], &rows, &[]))?;
    }
    Ok(if wrong {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::Fine => "ok",
        Mark::Note => "note",
        Mark::Wrong => "WRONG",
    }
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, mark: Mark, what: impl Into<String>, why: impl std::fmt::Display) {
        self.0.push(Finding {
            what: what.into(),
            mark,
            why: why.to_string(),
        });
    }

    fn result<T, E: std::fmt::Display>(
        &mut self,
        what: &str,
        fine: impl std::fmt::Display,
        result: Result<T, E>,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.add(Mark::Fine, what, fine);
                Some(value)
            }
            Err(error) => {
                self.add(Mark::Wrong, what, error);
                None
            }
        }
    }
}

fn look(place: &Place) -> Vec<Finding> {
    let mut findings = Findings::default();
    let from = match configuration::file(place) {
        Some(file) => file.display().to_string(),
        None => "the defaults: no file is named, and there is no tollgate.toml here".to_owned(),
    };
    let loaded = configuration::load(place).map_err(|error| format!("{error:#}"));
    let Some(config) = findings.result("configuration", from, loaded) else {
        return findings.0;
    };
    let data = DataDir::at(&config.data.dir);
    files(&mut findings, &data);
    match answering(&config, place) {
        Answer::Yes(status, components) => online(&mut findings, &status, &components),
        Answer::InPart => findings.add(
            Mark::Note,
            "gateway",
            "it answers; the token is that of an account, and how the gateway is it tells to the operator's alone",
        ),
        Answer::Refuses(why) => findings.add(Mark::Wrong, "gateway", why),
        Answer::No | Answer::Unasked(_) if !data.root().exists() => {
            findings.add(
                Mark::Note,
                "gateway",
                "not running; nothing is set up yet: `tollgate init` or `tollgate serve`",
            );
        }
        Answer::No => offline(&mut findings, config, None),
        Answer::Unasked(why) => offline(&mut findings, config, Some(&why)),
    }
    findings.0
}

/// Modes of the data directory and of each secret in it.
fn files(findings: &mut Findings, data: &DataDir) {
    if !data.root().exists() {
        findings.add(
            Mark::Note,
            "data directory",
            format!("{} is not there yet", data.root().display()),
        );
        return;
    }
    let mode = check_mode(data.root(), DIR_MODE);
    findings.result("data directory", data.root().display(), mode);
    let master = master_key_source(data).map_err(|error| error.to_string());
    match master {
        Ok(Some(source)) => findings.add(Mark::Fine, "master key", source),
        // The store's opening tells that it is gone.
        Ok(None) if data.store().exists() => {}
        Ok(None) => findings.add(
            Mark::Note,
            "master key",
            "none yet; the first start makes one",
        ),
        Err(why) => findings.add(Mark::Wrong, "master key", why),
    }
    for (what, path) in [
        ("management token", data.management_token()),
        ("quickstart key", data.quickstart_key()),
    ] {
        if path.exists() {
            findings.result(what, path.display(), check_mode(&path, SECRET_MODE));
        }
    }
}

enum Answer {
    Yes(Value, Value),
    /// A gateway answers, and does not tell the token of an account how it is.
    InPart,
    /// Something answers, but not to us.
    Refuses(String),
    /// There is no token to ask with, for this reason.
    Unasked(String),
    No,
}

fn answering(config: &Config, place: &Place) -> Answer {
    let api = match Api::find(config, place.management.as_deref()) {
        Ok(api) => api,
        Err(error) if place.management.is_some() => return Answer::Refuses(format!("{error:#}")),
        Err(error) => return Answer::Unasked(format!("{error:#}")),
    };
    match (api.get("/api/status"), api.get("/api/components")) {
        (Ok(status), Ok(components)) => Answer::Yes(status, components),
        (Err(error), _) | (_, Err(error)) => {
            let refused = error.downcast_ref::<api::Refused>();
            let nobody = error.to_string().starts_with("no gateway answers");
            if refused.is_some_and(|refused| refused.status == 403) {
                Answer::InPart
            } else if nobody && place.management.is_none() {
                Answer::No
            } else {
                Answer::Refuses(format!("{error:#}"))
            }
        }
    }
}

/// What the running gateway says about itself.
fn online(findings: &mut Findings, status: &Value, components: &Value) {
    let version = status["version"].as_str().unwrap_or("?");
    findings.add(
        Mark::Fine,
        "gateway",
        format!("version {version} answers on its management address"),
    );
    if version != env!("CARGO_PKG_VERSION") {
        let own = env!("CARGO_PKG_VERSION");
        findings.add(
            Mark::Note,
            "version",
            format!("this command is {own}, the gateway {version}"),
        );
    }
    loaded(findings, components);
    let counts = &status["counts"];
    let upstreams = counts["upstreams"].as_u64().unwrap_or(0);
    problems(findings, status, upstreams);
}

/// What a start would say, with no gateway running: everything is opened as a start opens it, and closed again. Where
/// one runs after all, and could not be asked, the lock of the store tells.
fn offline(findings: &mut Findings, config: Config, unasked: Option<&str>) {
    let data = DataDir::at(&config.data.dir);
    let folder = config.components_dir();
    // The one in the data directory is made by the start.
    let missing = !folder.exists() && !config.components.dir.as_os_str().is_empty();
    let opened = match data.store().exists() {
        true => Some(Control::open(config)),
        false => None,
    };
    if let Some(Err(error)) = &opened
        && is_lock(error)
    {
        findings.add(Mark::Note, "gateway", running(&data, unasked));
        return;
    }
    findings.add(
        Mark::Note,
        "gateway",
        "not running; looking at its files instead",
    );
    if missing {
        findings.add(
            Mark::Wrong,
            "components",
            format!("there is no folder {}", folder.display()),
        );
    }
    let Some(opened) = opened else {
        findings.add(Mark::Note, "store", "none yet; the first start makes one");
        return;
    };
    let Some(control) = findings.result("store and vault", "open", opened) else {
        return;
    };
    let as_json = |result: Result<Value, serde_json::Error>| result.unwrap_or_default();
    let components = as_json(serde_json::to_value(control.component_list()));
    loaded(findings, &components);
    let status = as_json(serde_json::to_value(control.status()));
    problems(
        findings,
        &status,
        status["counts"]["upstreams"].as_u64().unwrap_or(0),
    );
    control.close();
}

/// Whether the store did not open because another process has it open. The lock is what tells, and no process id in a
/// file: that one may be of a gateway that was killed, and another process's by now.
fn is_lock(error: &StartError) -> bool {
    matches!(error, StartError::Store { reason, .. } if reason.contains("in use by another process"))
}

/// What is known of a gateway that has the store open and told nothing itself.
fn running(data: &DataDir, unasked: Option<&str>) -> String {
    let told = api::published(data);
    match (told["management"].as_str(), unasked) {
        (Some(address), Some(why)) => format!(
            "running (process {}, management API on {address}), but it was not asked how it is: {why}",
            told["pid"]
        ),
        (None, Some(why)) => format!(
            "another process has the store open, and no gateway could be asked how it is: {why}"
        ),
        (_, None) => "another process has the store open, and no gateway answers: it is starting or stopping, or its \
                      management address is another one"
            .to_owned(),
    }
}

fn loaded(findings: &mut Findings, components: &Value) {
    let none = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
    if none(&components["loaded"]) && none(&components["failed"]) {
        findings.add(
            Mark::Note,
            "components",
            "none: no vendor can be served. Put provider components (`*.wasm`) into the components folder",
        );
    }
    for component in components["loaded"].as_array().into_iter().flatten() {
        let name = component["id"].as_str().unwrap_or("?");
        let kind = component["kind"].as_str().unwrap_or("component");
        findings.add(
            Mark::Fine,
            format!("{kind} {name}"),
            component["file"].as_str().unwrap_or_default(),
        );
    }
    for failed in components["failed"].as_array().into_iter().flatten() {
        let file = Path::new(failed["file"].as_str().unwrap_or("?"));
        findings.add(
            Mark::Wrong,
            format!("component {}", file.display()),
            failed["reason"].as_str().unwrap_or_default(),
        );
    }
}

fn problems(findings: &mut Findings, status: &Value, upstreams: u64) {
    let problems = status["problems"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for problem in problems {
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        findings.add(Mark::Wrong, text("what"), text("why"));
    }
    for note in status["notes"].as_array().into_iter().flatten() {
        let text = |name: &str| note[name].as_str().unwrap_or_default().to_owned();
        findings.add(Mark::Note, text("what"), text("why"));
    }
    match upstreams {
        0 => findings.add(
            Mark::Note,
            "upstreams",
            "none yet: `tollgate upstream set`, or `tollgate serve --quickstart`",
        ),
        _ if problems.is_empty() => {
            findings.add(Mark::Fine, "upstreams", format!("{upstreams}, all usable"))
        }
        _ => {}
    }
}
