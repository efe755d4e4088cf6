//! A vendor's stream as the client's: whatever comes, in any chunking, the client gets a stream of its own dialect with
//! exactly one end; and no more is held than was allowed.

use std::sync::Arc;

use tollgate_dialect::bridge::{Context, StreamBridge, Upstream};
use tollgate_dialect::{ApiError, Dialect, ErrorKind, UsageHints};

use crate::grammar::{self, End};
use crate::input::Input;
use crate::stream::{is_legible, shown};
use crate::support::{DIALECTS, LIMIT, context, stamp};

/// See the module.
pub fn check(data: &[u8]) {
    let Some(input) = Input::of(data) else { return };
    let context = chosen(&input);
    let upstream = match input.bit(1, 0) {
        true => Upstream::Failed(ApiError::new(ErrorKind::UpstreamTimeout, "silent")),
        false => Upstream::Closed,
    };
    let whole = run(&context, &[input.payload], &upstream, LIMIT);
    let cut = run(&context, &input.pieces(), &upstream, LIMIT);
    assert!(
        whole == cut,
        "another chunking gives something else\n{}\n→\n{}",
        shown(&whole),
        shown(&cut)
    );
    verdict(&context, input.payload, &whole);
    // Where an answer is given up depends on what has come by then; that it ends in order does not.
    let tight = run(&context, &input.pieces(), &upstream, tight(&input));
    verdict(&context, input.payload, &tight);
    if input.payload.is_empty() {
        assert_eq!(grammar::check(context.from, &whole), Ok(End::Failed));
    }
}

/// A limit that inputs of this size reach.
fn tight(input: &Input<'_>) -> usize {
    64 << (input.byte(2) & 7)
}

fn verdict(context: &Context, sent: &[u8], out: &[u8]) {
    if !is_legible(out) {
        return;
    }
    let Err(wrong) = grammar::check(context.from, out) else {
        return;
    };
    let (from, to) = (context.to, context.from);
    panic!(
        "{from:?} to {to:?}: {wrong}\n{}\n→\n{}",
        shown(sent),
        shown(out)
    );
}

/// The context that the head of an input chooses.
pub(crate) fn chosen(input: &Input<'_>) -> Context {
    let vendor = input.pick(0, &DIALECTS);
    let clients: Vec<Dialect> = DIALECTS
        .into_iter()
        .filter(|client| *client != vendor)
        .collect();
    let client = clients[usize::from(input.byte(0)) / DIALECTS.len() % clients.len()];
    let mut context = context(client, vendor);
    context.include_usage = !input.bit(1, 1);
    context.encrypted_reasoning = !input.bit(1, 2);
    context.readable_reasoning = !input.bit(1, 3);
    context.logprobs = !input.bit(1, 4);
    if !input.bit(1, 5) {
        context.structured_tool = Some("answer_schema".into());
    }
    if input.bit(1, 6) {
        context.stop.clear();
    }
    if input.bit(1, 7) {
        context.tools.clear();
    }
    context
}

fn run(context: &Context, pieces: &[&[u8]], upstream: &Upstream, limit: usize) -> Vec<u8> {
    let hints = Arc::new(UsageHints::default());
    let mut bridge = StreamBridge::new(context.clone(), stamp(), hints, limit);
    let mut out = Vec::new();
    for piece in pieces {
        bridge.push(piece, &mut out);
        let held = bridge.held();
        assert!(
            bridge.is_ended() || held <= limit,
            "{held} bytes held of {limit}"
        );
    }
    bridge.finish(upstream, &mut out);
    assert!(bridge.is_ended(), "it has ended");
    let length = out.len();
    bridge.push(b"data: {\"choices\":[]}\n\n", &mut out);
    bridge.finish(upstream, &mut out);
    assert_eq!(out.len(), length, "nothing follows the end");
    out
}
