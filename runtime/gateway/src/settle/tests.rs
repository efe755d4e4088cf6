//! A defect of the gateway's own in the middle of a request: what was held is given back, and a row says 500.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use bytes::Bytes;
use http::StatusCode;
use tollgate_dialect::{Dialect, StreamTap};
use tollgate_governance::{Ask, KeyDraft};
use uuid::Uuid;

use super::*;
use crate::config::Config;
use crate::control::{Control, Filter, UsageQuery};
use crate::metrics::Shard;
use crate::pipeline;
use crate::relay::Relay;
use crate::request::Policies;

/// What is held for the request, micro-units. The budget has room for one such hold.
const HOLD: u64 = 700;
/// Its body is so long that its input counts as ten tokens.
const BODY: u64 = 40;

/// A worker whose root account has room for one request, and a key of it.
fn worker(folder: &Path) -> (Rc<Worker>, Arc<Caller>) {
    let mut config = Config::default();
    config.data.dir = folder.join("data");
    config.components.dir = folder.join("components");
    let control = Control::open(config).unwrap();
    let limits = r#"{"limits":{"daily_limit":1000,"concurrency":1}}"#;
    let limits = serde_json::from_str(limits).unwrap();
    control.update_account("root", &limits).unwrap();
    let key = control
        .create_key(&KeyDraft {
            account: "root".to_owned(),
            ..KeyDraft::default()
        })
        .unwrap();
    let mac = control.hasher().mac(key.key.expose());
    let caller = control.snapshot().accounts.find(&mac).unwrap();
    let journal = control.journal_writer().unwrap();
    let tls = Worker::tls(control.config()).unwrap();
    let shards = Arc::from([Shard::default()]);
    let worker = Worker::new(control, journal, tls, shards, 0);
    (Rc::new(worker), Arc::new(caller))
}

/// Admits a request that has been sent to its vendor.
fn under_way(worker: &Rc<Worker>, caller: &Arc<Caller>) -> Settlement {
    let now_ms = worker.now_ms();
    let (id, operation) = (worker.next_id(now_ms), Operation::ChatCompletions);
    let mut request = Request::unparsed(
        id,
        operation,
        Arc::default(),
        Arc::clone(caller),
        Policies::default(),
    )
    .unwrap();
    request.facts.input_chars_estimate = BODY;
    let ask = Ask {
        request: id,
        model: "m",
        input: BODY / 4,
        expected: 50,
        output: 50,
        least_output: 50,
        price: &|_| HOLD,
    };
    let admission = worker.control.counters().admit(&caller.path, &ask, now_ms);
    let admission = admission.expect("there is room for one");
    let mut settlement = Settlement::open(worker, &mut request, Some(admission), Instant::now());
    settlement.sent();
    settlement
}

/// Nothing is held any more, the next request has room, and the one row says what happened.
fn assert_settled(worker: &Rc<Worker>, caller: &Arc<Caller>, output: u64) {
    let spent = worker
        .control
        .counters()
        .spent(&caller.path, worker.now_ms());
    assert_eq!((spent.held, spent.running), (0, 0));
    assert_eq!(spent.tokens, BODY / 4 + output);
    let query = UsageQuery {
        filter: Filter::default(),
        limit: 10,
    };
    let page = worker.control.usage_page(&query).unwrap();
    let page = serde_json::to_value(page).unwrap();
    let [row] = &page["rows"].as_array().unwrap()[..] else {
        panic!("not one row: {page}");
    };
    assert_eq!(
        (&row["status"], &row["error"]),
        (&500.into(), &"internal".into())
    );
    assert_eq!(
        (&row["hold"], &row["counted"]),
        (&HOLD.into(), &true.into())
    );
    assert_eq!(row["usage"]["input"], BODY / 4);
    assert_eq!(row["usage"]["output"], output);
    assert_eq!(row["usage"]["estimated"], true);
    drop(under_way(worker, caller));
}

#[tokio::test]
async fn a_panic_before_the_answer_gives_back_what_is_held_and_leaves_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let (worker, caller) = worker(folder.path());
    let settlement = under_way(&worker, &caller);
    let held = worker
        .control
        .counters()
        .spent(&caller.path, worker.now_ms());
    assert_eq!((held.held, held.running), (HOLD, 1));
    let request = async move {
        let _open = settlement;
        // Somewhere in the middle.
        tokio::task::yield_now().await;
        panic!("a defect")
    };
    let answer = pipeline::guarded(Dialect::OpenaiChat, Uuid::nil(), request).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_settled(&worker, &caller, 0);
}

#[test]
fn a_panic_in_a_stream_gives_back_what_is_held_and_charges_what_was_streamed() {
    let folder = tempfile::tempdir().unwrap();
    let (worker, caller) = worker(folder.path());
    let operation = Operation::ChatCompletions;
    let mut tap = StreamTap::new(operation, Arc::default());
    tap.push(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"twelve bytes\"}}]}\n\n");
    let relay = Relay {
        operation,
        request_id: String::new(),
        source: None,
        first: Bytes::new(),
        translator: None,
        tap: Some(tap),
        hide_usage: None,
        rewriter: None,
        settlement: Some(under_way(&worker, &caller)),
        running: None,
        bridge: None,
        keeper: None,
        ready: VecDeque::new(),
    };
    let defect = catch_unwind(AssertUnwindSafe(|| {
        let _relay = relay;
        panic!("a defect")
    }));
    assert!(defect.is_err());
    assert_settled(&worker, &caller, 3);
}
