//! SDKs: the Vercel AI SDK, and those of OpenAI and Anthropic for Python.

use std::sync::Arc;

use serde_json::{Value, json};
use tollgate_tests::clients::{Clients, run, skipped};
use tollgate_tests::endpoints::Endpoint;
use tollgate_tests::simulator::{Ending, Received};
use tollgate_tests::world::World;

use super::{BROKE_OFF, IMAGE, VENDORS, Vendor, schema, vendors};

/// An SDK in one of its dialects.
struct Sdk {
    /// The program in `tests/clients`.
    program: &'static str,
    /// The dialect's name to the program.
    dialect: &'static str,
    /// The operation that it asks the gateway for.
    operation: &'static str,
    /// Whether it carries readable reasoning of chat completions back to where it came from.
    returns_reasoning_content: bool,
}

/// Makes a test of each row.
macro_rules! sdks {
    ($($test:ident: $program:literal, $dialect:literal, $operation:literal, $returns:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            works_on_every_vendor(&Sdk {
                program: $program,
                dialect: $dialect,
                operation: $operation,
                returns_reasoning_content: $returns,
            })
            .await;
        }
    )*};
}

sdks! {
    vercel_ai_sdk_in_chat_completions: "vercel_ai_sdk.mjs", "chat-completions", "chat-completions", false;
    vercel_ai_sdk_as_for_compatible_vendors: "vercel_ai_sdk.mjs", "compatible-chat", "chat-completions", true;
    vercel_ai_sdk_in_responses: "vercel_ai_sdk.mjs", "responses", "responses", true;
    vercel_ai_sdk_in_responses_as_it_is_by_default: "vercel_ai_sdk.mjs", "stored-responses", "responses", true;
    vercel_ai_sdk_in_messages: "vercel_ai_sdk.mjs", "messages", "messages", true;
    openai_sdk_in_chat_completions: "python_sdks.py", "chat-completions", "chat-completions", true;
    openai_sdk_in_responses: "python_sdks.py", "responses", "responses", true;
    anthropic_sdk: "python_sdks.py", "messages", "messages", true;
}

/// The requests that a run makes of its vendor: one each for text, a stream, an object, an image, two failures, one left
/// and one after it, twice three for the rounds, and one for the turn after them. A client that tries again makes more.
const REQUESTS: usize = 8 + 2 * 3 + 1;

const ROUNDS: &str = "The tools said: 19 degrees in Hamburg | 19 degrees in Bremen | 19 degrees in Kiel | 19 degrees in L\u{fc}beck";

async fn works_on_every_vendor(sdk: &Sdk) {
    if skipped() {
        return;
    }
    let world = vendors().await;
    let vendors = sdk.vendors();
    for (index, &vendor) in vendors.iter().enumerate() {
        let what = format!("{} {} on {}", sdk.program, sdk.dialect, vendor.operation);
        world.simulator.forget();
        let rows_before = world.management().rows().await.len();
        let other = vendors[(index + 1) % vendors.len()];
        let mut found = findings(&world, sdk, vendor, other).await;

        // What the client reports.
        let failures = ["broken", "overloaded"].map(|name| found[name].take());
        let [broken, overloaded] = failures
            .each_ref()
            .map(|told| told.as_str().unwrap_or_default());
        assert!(broken.contains(BROKE_OFF), "{what}: {broken}");
        assert!(
            overloaded.contains("The simulator is overloaded."),
            "{what}: {overloaded}"
        );
        let hello = "Hello from the simulator, all is well.";
        let wanted = json!({
            "text": hello, "usage": Endpoint::of(vendor.operation).tokens.output, "stream": hello, "streamed": true,
            "rounds": ROUNDS, "calls": [2, 2, 0], "next": ROUNDS, "stream_rounds": ROUNDS, "switched": ROUNDS,
            "object": { "city": "Hamburg", "degrees": 19 },
            "image": format!("I see image/png in {} letters.", IMAGE.len()),
            "broken": null, "overloaded": null, "aborted": "abort", "left": hello,
        });
        assert_eq!(found, wanted, "{what}");

        // What the vendors received.
        let received = world.simulator.received();
        let (switched, received): (Vec<_>, Vec<_>) = received
            .into_iter()
            .partition(|received| received.text().contains("SWITCHED"));
        let targets: Vec<_> = received.iter().map(|received| received.path()).collect();
        assert_eq!(targets, vec![vendor.path(); REQUESTS], "{what}");
        for received in &received {
            vendor.assert_not_anothers(&received.text(), &what);
        }
        let about = |word: &str| -> Vec<&Arc<Received>> {
            received
                .iter()
                .filter(|received| received.text().contains(word))
                .collect()
        };
        let demanded = &about("The weather, as an object.")[0].json();
        assert!(
            schema(vendor, demanded)["properties"]["degrees"].is_object(),
            "{what}: {demanded}"
        );
        assert!(about("IMAGE_PLEASE")[0].text().contains(IMAGE), "{what}");
        assert_eq!(
            about("HANG_PLEASE")[0].ending(),
            Some(Ending::CallerLeft),
            "{what}"
        );
        let (next, rounds): (Vec<_>, Vec<_>) = about("ROUNDS_PLEASE")
            .into_iter()
            .partition(|received| received.text().contains("And now?"));
        for rounds in rounds.chunks(3) {
            assert_rounds(sdk, vendor, rounds, &what);
        }
        assert_next_turn(sdk, vendor, next[0], &what);
        let paths: Vec<_> = switched.iter().map(|received| received.path()).collect();
        assert_eq!(paths, [vendor.path(), other.path(), other.path()], "{what}");
        for received in &switched[1..] {
            other.assert_not_anothers(
                &received.text(),
                &format!("{what}, then on {}", other.operation),
            );
        }
        assert_rows(&world, sdk, vendor, rows_before, &what).await;
    }
}

/// Runs the program; its last line of output is a JSON object of findings.
async fn findings(world: &World, sdk: &Sdk, vendor: &Vendor, other: &Vendor) -> Value {
    let clients = Clients::ensure().unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut command = clients.script(sdk.program);
    command.env("HOME", home.path()).args([
        &world.gateway.base_url(),
        world.key.secret.as_str(),
        sdk.dialect,
        vendor.model,
        other.model,
        IMAGE,
    ]);
    let outcome = tokio::task::spawn_blocking(move || run(&mut command, home.path()))
        .await
        .unwrap()
        .unwrap();
    assert!(
        outcome.success,
        "{} {} on {}:\n{}\n{}",
        sdk.program, sdk.dialect, vendor.operation, outcome.output, outcome.errors
    );
    let last = outcome.output.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {}", outcome.output))
}

/// The calls of a round came back together, each with its own result, and the vendor's reasoning with them.
fn assert_rounds(sdk: &Sdk, vendor: &Vendor, requests: &[&Arc<Received>], what: &str) {
    assert_eq!(requests.len(), 3, "{what}");
    for (round, request) in requests.iter().enumerate() {
        let body = request.json();
        let (calls, results) = vendor.calls_and_results(&body);
        assert_eq!(
            calls.iter().map(Vec::len).collect::<Vec<_>>(),
            vec![2; round],
            "{what}: {body}"
        );
        let mut ids = calls.concat();
        assert_eq!(ids, results, "{what}: {body}");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 2 * round, "{what}: {body}");
        let kept = request.text().matches(vendor.reasoning).count();
        let wanted = if sdk.keeps_reasoning_of(vendor) {
            round
        } else {
            0
        };
        assert_eq!(kept, wanted, "{what}, round {round}: {body}");
    }
}

/// The turn after the rounds came with all that was before it: the calls, the answer, and the reasoning of each of the
/// three turns.
fn assert_next_turn(sdk: &Sdk, vendor: &Vendor, request: &Received, what: &str) {
    let (body, text) = (request.json(), request.text());
    let (calls, results) = vendor.calls_and_results(&body);
    assert_eq!((calls.len(), results.len()), (2, 4), "{what}: {body}");
    assert!(text.contains("The tools said: "), "{what}: {body}");
    let kept = text.matches(vendor.reasoning).count();
    let wanted = if sdk.keeps_reasoning_of(vendor) { 3 } else { 0 };
    assert_eq!(kept, wanted, "{what}: {body}");
}

impl Sdk {
    /// What it is run on: all, but for those that keep answers themselves where it refers to items of them, for the
    /// simulator keeps none.
    fn vendors(&self) -> Vec<&'static Vendor> {
        let refers = self.dialect == "stored-responses";
        let all = VENDORS.iter();
        all.filter(|vendor| !refers || vendor.operation != "responses")
            .collect()
    }

    /// Whether it brings back the reasoning that only this vendor can read.
    fn keeps_reasoning_of(&self, vendor: &Vendor) -> bool {
        match (self.operation, vendor.operation) {
            // The dialect has no place for opaque reasoning, only for the readable one of its own vendors.
            ("chat-completions", "chat-completions") => self.returns_reasoning_content,
            ("chat-completions", _) => false,
            _ => true,
        }
    }
}

/// One row for each request, exact where the answer was whole, and saying what happened where it was not.
async fn assert_rows(world: &World, sdk: &Sdk, vendor: &Vendor, before: usize, what: &str) {
    // Three requests more went first to this vendor, then to another.
    let rows = world
        .management()
        .wait_for_rows(before + REQUESTS + 3)
        .await;
    let rows: Vec<_> = rows
        .iter()
        .filter(|row| row.text("requested_model") == vendor.model)
        .collect();
    let dialect = |operation: &str| match operation {
        "chat-completions" => "openai-chat",
        "responses" => "openai-responses",
        _ => "anthropic-messages",
    };
    let mut ends = Vec::new();
    for row in rows {
        assert_eq!(
            row.text("dialect"),
            dialect(sdk.operation),
            "{what}: {}",
            row.0
        );
        assert_eq!(
            row.text("dialect_out"),
            dialect(vendor.operation),
            "{what}: {}",
            row.0
        );
        if row.text("error").is_empty() {
            assert_eq!(
                row.tokens(),
                Endpoint::of(vendor.operation).tokens,
                "{what}: {}",
                row.0
            );
            assert!(!row.estimated(), "{what}: {}", row.0);
        } else {
            assert!(row.charged() > 0, "{what}: {}", row.0);
            ends.push((row.status(), row.text("error").to_owned()));
        }
    }
    ends.sort();
    let overloaded = match vendor.operation {
        "messages" => "overloaded_error",
        _ => "server_error",
    };
    let wanted = [
        (200, overloaded),
        (200, "upstream-failed"),
        (499, "client-closed"),
    ];
    assert_eq!(
        ends,
        wanted.map(|(status, error)| (status, error.to_owned())),
        "{what}"
    );
}
