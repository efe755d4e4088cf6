//! Writes what tools did that the vendor ran itself: two blocks in Messages, an item in Responses.

use super::item::arguments;
use super::messages::pages_found;
use super::{Exchange, put};
use crate::bridge::answer::escaped::{Escaped, string};
use crate::bridge::answer::event::{Code, Outcome, Ran, Runs, Search, ServerCall};
use crate::bridge::found;
use crate::json::text::quote;

/// The two blocks, but for the id that ties them.
#[derive(Debug)]
pub(super) struct Pair {
    /// The id, where the vendor gave one that goes there and back.
    id: Option<Vec<u8>>,
    called: &'static [u8],
    /// What stands between the id and the input, a comma before each.
    named: Vec<u8>,
    /// JSON.
    input: Vec<u8>,
    came: &'static [u8],
    /// What stands behind the id, a comma before each.
    result: Vec<u8>,
}

impl Pair {
    /// `family`: who ran it.
    pub(super) fn of(ran: &Ran<'_>, family: &str) -> Self {
        match ran {
            Ran::Search(search) => Self::search(search),
            Ran::Call(call) => Self::call(call),
            Ran::Code(code) => Self::code(code, family),
        }
    }

    fn search(search: &Search<'_>) -> Self {
        let mut input = b"{\"query\":".to_vec();
        string(&mut input, search.query);
        input.push(b'}');
        let mut result = b",\"content\":[".to_vec();
        pages_found(&mut result, search);
        result.push(b']');
        Self {
            id: None,
            called: b"server_tool_use",
            named: b",\"name\":\"web_search\"".to_vec(),
            input,
            came: b"web_search_tool_result",
            result,
        }
    }

    fn call(call: &ServerCall<'_>) -> Self {
        let mut named = b",\"name\":".to_vec();
        string(&mut named, call.name);
        named.extend_from_slice(b",\"server_name\":");
        string(&mut named, call.server);
        let mut input = Vec::new();
        arguments(
            &mut input,
            call.arguments.text().trim(),
            call.arguments.bytes(),
        );
        // One that was cut off gave nothing: no client waits for it any more.
        let error: &[u8] = match call.outcome {
            Outcome::Done => b"false",
            Outcome::Failed | Outcome::Unknown => b"true",
        };
        let mut result = [b",\"is_error\":", error, b",\"content\":"].concat();
        // A client sends it back, and vendors refuse a text that says nothing.
        let said = call.texts.iter().copied();
        let said: Vec<_> = said.filter(|text| !text.text().trim().is_empty()).collect();
        texts(&mut result, &said);
        Self {
            id: found::call_id(call.id.bytes()),
            called: b"mcp_tool_use",
            named,
            input,
            came: b"mcp_tool_result",
            result,
        }
    }

    fn code(run: &Code<'_>, family: &str) -> Self {
        let mut input = b"{\"code\":".to_vec();
        string(&mut input, run.code);
        input.push(b'}');
        let mut result = b",\"content\":{\"type\":\"code_execution_result\",\"stdout\":\"".to_vec();
        for logs in &run.logs {
            result.extend_from_slice(logs.bytes());
        }
        let code: &[u8] = match run.outcome {
            Outcome::Done => b"0",
            Outcome::Failed | Outcome::Unknown => b"1",
        };
        put(
            &mut result,
            &[
                b"\",\"stderr\":\"\",\"return_code\":",
                code,
                b",\"content\":[]}",
            ],
        );
        Self {
            id: found::run_id(family, run.id.bytes(), run.container.bytes()),
            called: b"server_tool_use",
            named: b",\"name\":\"code_execution\"".to_vec(),
            input,
            came: b"code_execution_tool_result",
            result,
        }
    }

    /// Bytes that are held of it.
    pub(super) fn bytes(&self) -> usize {
        self.named.len() + self.input.len() + self.result.len()
    }

    /// The id as JSON, of the pair whose first block has this place.
    pub(super) fn id(&self, exchange: Exchange<'_>, index: u64) -> Vec<u8> {
        let mut quoted = Vec::new();
        match &self.id {
            Some(id) => string(&mut quoted, Escaped::trusted(id)),
            None if self.called == b"mcp_tool_use" => {
                quote(&mut quoted, &exchange.stamp.id(&found::server_call(index)));
            }
            None => quote(&mut quoted, &exchange.stamp.id(&found::id(index))),
        }
        quoted
    }

    /// The input: JSON.
    pub(super) fn input(&self) -> &[u8] {
        &self.input
    }

    /// Appends the call, with its input if that does not come piece by piece.
    pub(super) fn called(&self, out: &mut Vec<u8>, id: &[u8], input: &[u8]) {
        put(
            out,
            &[
                b"{\"type\":\"",
                self.called,
                b"\",\"id\":",
                id,
                &self.named,
                b",\"input\":",
                input,
                b"}",
            ],
        );
    }

    /// Appends what came of it.
    pub(super) fn came(&self, out: &mut Vec<u8>, id: &[u8]) {
        put(
            out,
            &[
                b"{\"type\":\"",
                self.came,
                b"\",\"tool_use_id\":",
                id,
                &self.result,
                b"}",
            ],
        );
    }
}

/// Appends texts as blocks.
fn texts(out: &mut Vec<u8>, texts: &[Escaped<'_>]) {
    out.push(b'[');
    for (at, text) in texts.iter().enumerate() {
        let comma: &[u8] = if at > 0 { b"," } else { b"" };
        put(
            out,
            &[
                comma,
                b"{\"type\":\"text\",\"text\":\"",
                text.bytes(),
                b"\"}",
            ],
        );
    }
    out.push(b']');
}

/// An item of Responses that is told when it is whole, and the events about it.
pub(super) struct Told {
    /// What its id begins with.
    pub(super) prefix: &'static str,
    pub(super) kind: &'static [u8],
    /// What stands behind its type, before and after: a comma before each.
    pub(super) begun: Vec<u8>,
    pub(super) done: Vec<u8>,
    /// Whether its events name it; else they have only its place.
    pub(super) named: bool,
    /// Events between the item's beginning and its end: each with what stands behind its place.
    pub(super) events: Vec<(&'static str, Vec<u8>)>,
}

impl Told {
    pub(super) fn of(ran: &Ran<'_>) -> Self {
        match ran {
            Ran::Search(search) => Self::search(search),
            Ran::Call(call) => Self::call(call),
            Ran::Code(code) => Self::code(code),
        }
    }

    fn search(search: &Search<'_>) -> Self {
        let mut done =
            b",\"status\":\"completed\",\"action\":{\"type\":\"search\",\"query\":".to_vec();
        string(&mut done, search.query);
        done.extend_from_slice(b",\"sources\":[");
        for (at, (url, _)) in search.pages.iter().enumerate() {
            if at > 0 {
                done.push(b',');
            }
            done.extend_from_slice(b"{\"type\":\"url\",\"url\":");
            string(&mut done, *url);
            done.push(b'}');
        }
        done.extend_from_slice(b"]}");
        Self {
            prefix: "ws_",
            kind: b"web_search_call",
            named: true,
            begun: b",\"status\":\"in_progress\",\"action\":{\"type\":\"search\",\"query\":\"\"}"
                .to_vec(),
            done,
            events: vec![
                ("response.web_search_call.in_progress", Vec::new()),
                ("response.web_search_call.searching", Vec::new()),
                ("response.web_search_call.completed", Vec::new()),
            ],
        }
    }

    fn call(call: &ServerCall<'_>) -> Self {
        let mut named = b",\"server_label\":".to_vec();
        string(&mut named, call.server);
        named.extend_from_slice(b",\"name\":");
        string(&mut named, call.name);
        let arguments = match call.arguments.is_empty() {
            true => b"{}",
            false => call.arguments.bytes(),
        };
        let (status, last) = ended(
            call.outcome,
            "response.mcp_call.completed",
            "response.mcp_call.failed",
        );
        let mut done = named.clone();
        put(
            &mut done,
            &[
                b",\"arguments\":\"",
                arguments,
                b"\",\"status\":\"",
                status,
                b"\",\"output\":",
            ],
        );
        match call.outcome {
            Outcome::Done => {
                let pieces: Vec<&[u8]> = call.texts.iter().map(|text| text.bytes()).collect();
                string(&mut done, Escaped::trusted(&pieces.join(&b"\\n"[..])));
                done.extend_from_slice(b",\"error\":null");
            }
            Outcome::Failed => {
                done.extend_from_slice(
                    b"null,\"error\":{\"type\":\"mcp_tool_execution_error\",\"content\":",
                );
                texts(&mut done, &call.texts);
                done.push(b'}');
            }
            Outcome::Unknown => done.extend_from_slice(b"null,\"error\":null"),
        }
        let mut begun = named;
        begun.extend_from_slice(
            b",\"arguments\":\"\",\"status\":\"in_progress\",\"output\":null,\"error\":null",
        );
        let told = |member: &[u8]| [b",\"", member, b"\":\"", arguments, b"\""].concat();
        let mut events = vec![
            ("response.mcp_call.in_progress", Vec::new()),
            ("response.mcp_call_arguments.delta", told(b"delta")),
            ("response.mcp_call_arguments.done", told(b"arguments")),
        ];
        events.extend(last.map(|name| (name, Vec::new())));
        Self {
            prefix: "mcp_",
            kind: b"mcp_call",
            named: true,
            begun,
            done,
            events,
        }
    }

    fn code(run: &Code<'_>) -> Self {
        let code = run.code.bytes();
        // How a run failed has no event of its own.
        let completed = "response.code_interpreter_call.completed";
        let (status, last) = ended(run.outcome, completed, completed);
        // In which container it was is told only at the end of an answer, if at all, and another vendor's is of no use.
        let mut done = [
            b",\"status\":\"",
            status,
            b"\",\"code\":\"",
            code,
            b"\",\"container_id\":\"\",\"outputs\":[",
        ]
        .concat();
        for (at, logs) in run.logs.iter().enumerate() {
            let comma: &[u8] = if at > 0 { b"," } else { b"" };
            put(
                &mut done,
                &[
                    comma,
                    b"{\"type\":\"logs\",\"logs\":\"",
                    logs.bytes(),
                    b"\"}",
                ],
            );
        }
        done.push(b']');
        let told = |member: &[u8]| [b",\"", member, b"\":\"", code, b"\""].concat();
        let mut events = vec![("response.code_interpreter_call.in_progress", Vec::new())];
        if !code.is_empty() {
            events.push(("response.code_interpreter_call_code.delta", told(b"delta")));
        }
        events.push(("response.code_interpreter_call_code.done", told(b"code")));
        events.push(("response.code_interpreter_call.interpreting", Vec::new()));
        events.extend(last.map(|name| (name, Vec::new())));
        Self {
            prefix: match run.runs {
                Runs::Code => "ci_",
                Runs::Command => found::COMMAND,
                Runs::Edit => found::EDIT,
            },
            kind: b"code_interpreter_call",
            named: true,
            begun:
                b",\"status\":\"in_progress\",\"code\":\"\",\"container_id\":\"\",\"outputs\":null"
                    .to_vec(),
            done,
            events,
        }
    }

    /// The item as it begins, or as it is in the end.
    pub(super) fn item(&self, id: &[u8], done: bool) -> Vec<u8> {
        let rest = if done { &self.done } else { &self.begun };
        [
            b"{\"id\":\"",
            id,
            b"\",\"type\":\"",
            self.kind,
            b"\"",
            rest,
            b"}",
        ]
        .concat()
    }
}

/// The status of what has ended so, and its last event.
fn ended(
    outcome: Outcome,
    completed: &'static str,
    failed: &'static str,
) -> (&'static [u8], Option<&'static str>) {
    match outcome {
        Outcome::Done => (b"completed", Some(completed)),
        Outcome::Failed => (b"failed", Some(failed)),
        Outcome::Unknown => (b"incomplete", None),
    }
}
