//! Components that were built for each frozen version of the contract, once, and are only ever loaded again: every
//! interface must go on answering as it did. Their sources lie beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{Head, House, Loud, Outcome, Seen, Upstreams, call};
use tollgate_plugin::{
    Amendment, CallView, Configured, ErrorKind, FailedAnswerView, FailureKind, FilterError,
    Interface, Judgement, MacSource, PluginError, PrepareError, RequestView, Segment, SignHead,
    TranslateError, Translator, UpstreamStream, Verdict,
};

const VERSIONS: &[&str] = &["0.1.0"];

fn file(version: &str, name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frozen");
    std::fs::read(dir.join(version).join(format!("{name}.wasm"))).unwrap()
}

/// Runs a test on the components of every frozen version.
fn each_version(test: impl Fn(&House)) {
    for version in VERSIONS {
        let names = ["provider", "responder", "policy"];
        let files = names.map(|name| (format!("{name}.wasm"), file(version, name)));
        let files: Vec<_> = files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.clone()))
            .collect();
        let house = House::open(&files);
        let generation = house.components.generation();
        assert!(generation.failed.is_empty(), "{:?}", generation.failed);
        test(&house);
    }
}

fn provider(house: &House, config: &str) -> Arc<Configured> {
    let generation = house.components.generation();
    generation.providers["frozen-provider"]
        .configured(config)
        .unwrap()
}

fn policy(house: &House) -> Arc<Configured> {
    house.components.generation().policies["policy"]
        .configured("{}")
        .unwrap()
}

fn request(model: &str, headers: &[(&str, &str)]) -> Arc<dyn RequestView> {
    Arc::new(Loud::new(model, headers))
}

#[test]
fn together_they_export_every_interface() {
    each_version(|house| {
        let generation = house.components.generation();
        let all = generation
            .providers
            .values()
            .chain(generation.policies.values());
        let mut exported: Vec<Interface> = all
            .flat_map(|one| one.interfaces().iter().copied())
            .collect();
        exported.sort_unstable();
        exported.dedup();
        assert_eq!(exported, Interface::ALL);
    });
}

#[test]
fn a_configuration_is_taken_or_refused_with_a_sentence() {
    each_version(|house| {
        let generation = house.components.generation();
        let component = &generation.providers["frozen-provider"];
        let error = component.configured(r#"{"always":3}"#).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert_eq!(error.message, "`always` must be true or false");
        for (config, expected) in [
            ("{}", UpstreamStream::AsAsked),
            (r#"{"always":true}"#, UpstreamStream::Always),
        ] {
            let plan = provider(house, config).prepare(&call(1, None)).unwrap();
            assert_eq!(plan.upstream_stream, expected, "{config}");
            assert_eq!(plan.path, "/v9/answers");
        }
    });
}

#[test]
fn a_clients_text_in_a_header_is_never_a_template() {
    each_version(|house| {
        let provider = provider(house, "{}");
        for text in ["{", "}", "{}", "{{", "{secret-key}", "a {b} c}"] {
            let headers = HashMap::from([("x-note".to_owned(), text.to_owned())]);
            let view: Arc<dyn CallView + Send + Sync> = Arc::new(common::Call {
                model: "m".into(),
                attempt: 2,
                headers,
            });
            let plan = provider.prepare(&view).unwrap();
            let value = |name: &str| {
                let found = plan.headers.iter().find(|(known, _)| known == name);
                found.unwrap().1.clone()
            };
            let note = tollgate_plugin::literal_header(&value("x-note"));
            assert_eq!(note.as_deref(), Some(text));
            assert_eq!(value("x-attempt"), "2");
            assert_eq!(tollgate_plugin::literal_header(&value("x-key-id")), None);
        }
    });
}

struct Failed(u16, &'static str);

impl FailedAnswerView for Failed {
    fn status(&self) -> u16 {
        self.0
    }
    fn header(&self, name: &str) -> Option<&str> {
        (name == "x-meaning").then_some(self.1)
    }
    fn body(&self) -> &[u8] {
        b"the vendor's words"
    }
    fn operation(&self) -> &str {
        "chat-completions"
    }
}

#[test]
fn a_failed_answer_is_classified() {
    each_version(|house| {
        let provider = provider(house, "{}");
        let failure = provider
            .classify(Arc::new(Failed(503, "overloaded")))
            .unwrap();
        assert_eq!(failure.kind, FailureKind::Overloaded);
        assert_eq!(failure.message.as_deref(), Some("the vendor's words"));
        let unknown = provider
            .classify(Arc::new(Failed(500, "moonstruck")))
            .unwrap();
        assert_eq!(unknown.kind, FailureKind::Permanent);
    });
}

/// Answers with what it was asked, and remembers it.
#[derive(Default)]
struct Macs(Mutex<Vec<(String, String, String, String)>>);

impl MacSource for Macs {
    fn mac(
        &self,
        algorithm: &str,
        field: &str,
        prefix: &str,
        data: &[u8],
    ) -> Result<Vec<u8>, String> {
        let data = String::from_utf8(data.to_vec()).unwrap();
        let asked = [algorithm, field, prefix].map(str::to_owned);
        let [algorithm, field, prefix] = asked;
        self.0
            .lock()
            .unwrap()
            .push((algorithm, field, prefix, data));
        Ok(vec![0xab, 0x01])
    }
}

#[test]
fn a_signature_is_made_over_what_is_sent_for_the_region_in_use() {
    each_version(|house| {
        let macs = Arc::new(Macs::default());
        let head = SignHead {
            method: "POST".into(),
            authority: "vendor.example:8443".into(),
            path: "/base/v9/answers".into(),
            headers: vec![
                ("x-key-id".into(), "{key-id}".into()),
                ("x-b".into(), "c".into()),
            ],
            body_sha256: [0x11; 32],
            now: 1_700_000_000_123,
        };
        let headers = provider(house, "{}")
            .sign(&call(1, None), head, Arc::<Macs>::clone(&macs))
            .unwrap();
        let expected = [
            ("x-date", "1700000000123"),
            ("authorization", "FROZEN1 {key-id}/main:ab01"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(headers, expected);
        let asked = macs.0.lock().unwrap().clone();
        let text = format!(
            "POST\nvendor.example:8443\n/base/v9/answers\n1700000000123\nx-key-id;x-b\n{{key-id}}\n{}",
            "11".repeat(32)
        );
        let [algorithm, field, prefix] =
            ["hmac-sha256", "secret-key", "FROZEN1"].map(str::to_owned);
        assert_eq!(asked, [(algorithm, field, prefix, text)]);
    });
}

fn translator(house: &House) -> Translator {
    provider(house, "{}").translator(&call(1, None)).unwrap()
}

fn refused<T: std::fmt::Debug>(result: Result<T, TranslateError>) -> tollgate_plugin::Failure {
    match result {
        Err(TranslateError::Refused(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_exchange_is_translated_both_ways() {
    each_version(|house| {
        let mut whole = translator(house);
        assert_eq!(whole.request(b"{\"a\":1}").unwrap(), b"{\"ask\":{\"a\":1}}");
        whole.answered(Arc::new(Head::new(200, &[]))).unwrap();
        assert_eq!(
            whole.response(b"{\"say\":{\"b\":2}}").unwrap(),
            b"{\"b\":2}"
        );

        let mut stream = translator(house);
        stream.request(b"{}").unwrap();
        stream.answered(Arc::new(Head::new(200, &[]))).unwrap();
        let vendors = b">data: one\n>\n>data: two\n>\n";
        for cut in 0..vendors.len() {
            let (before, after) = vendors.split_at(cut);
            let mut told = stream.push(before).unwrap();
            told.extend(stream.push(after).unwrap());
            assert_eq!(told, b"data: one\n\ndata: two\n\n", "cut at {cut}");
        }
        assert_eq!(stream.finish().unwrap(), b"");
    });
}

#[test]
fn a_translator_says_what_went_wrong_wherever_it_did() {
    each_version(|house| {
        let failure = refused(translator(house).request(b"untranslatable"));
        assert_eq!(failure.kind, FailureKind::InvalidRequest);
        assert_eq!(failure.message.as_deref(), Some("Frozen cannot say this."));
        let failure = refused(translator(house).request(b"exhausting"));
        assert_eq!(failure.kind, FailureKind::Overloaded);
        let head = Arc::new(Head::new(200, &[("x-failure", "quota-exhausted")]));
        let failure = refused(translator(house).answered(head));
        assert_eq!(failure.kind, FailureKind::QuotaExhausted);
        assert_eq!(
            refused(translator(house).response(b"?")).kind,
            FailureKind::Transient
        );
        // In the middle of a stream: the good text first, then the failure.
        let mut stream = translator(house);
        assert_eq!(
            stream.push(b">data: one\n!rate-limited Slow").unwrap(),
            b"data: one\n"
        );
        let failure = refused(stream.push(b" down\n"));
        assert_eq!(failure.kind, FailureKind::RateLimited);
        assert_eq!(failure.message.as_deref(), Some("Slow down"));
        let mut cut = translator(house);
        cut.push(b">data: on").unwrap();
        assert_eq!(refused(cut.finish()).message.as_deref(), Some("cut short"));
    });
}

#[test]
fn windows_and_models_are_read() {
    each_version(|house| {
        let provider = provider(house, "{}");
        let head = Head::new(200, &[("x-used-permille", "250")]);
        let windows = provider.read_capacity(Arc::new(head)).unwrap();
        assert_eq!(windows.len(), 1);
        assert_eq!(
            (windows[0].name.as_str(), windows[0].used_permille),
            ("requests", 250)
        );
        assert_eq!(windows[0].resets_at, Some(common::ARRIVED + 1000));
        assert!(
            provider
                .read_capacity(Arc::new(Head::new(200, &[])))
                .unwrap()
                .is_empty()
        );

        let listing = provider.catalogue_request("north").unwrap();
        assert_eq!(listing.path, "/v9/models?at=north");
        assert_eq!(
            listing.headers,
            [("x-key-id".to_owned(), "{key-id}".to_owned())]
        );
        let page = provider
            .catalogue_read(br#"{"models":["a","b"],"next":"/v9/models?page=2"}"#)
            .unwrap();
        assert_eq!(page.models, ["a", "b"]);
        assert_eq!(page.next_path.as_deref(), Some("/v9/models?page=2"));
        let error = provider.catalogue_read(b"{}").unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ErrorKind::Refused, "the list has no `models`")
        );
        let error = provider
            .catalogue_read(br#"{"models":[],"next":"https://evil.example/"}"#)
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::BadAnswer);
    });
}

#[test]
fn a_responder_answers_by_itself() {
    each_version(|house| {
        let generation = house.components.generation();
        let responder = generation.providers["frozen-responder"]
            .configured("{}")
            .unwrap();
        let answer = responder.respond(&call(1, None), b"{}").unwrap();
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (200, &b"data: {}\n\ndata: [DONE]\n\n"[..])
        );
        let tired: Arc<dyn CallView + Send + Sync> = Arc::new(common::Call {
            model: "tired".into(),
            attempt: 1,
            headers: HashMap::new(),
        });
        let answer = responder.respond(&tired, b"{}").unwrap();
        assert_eq!(answer.status, 429);
        assert!(
            answer
                .headers
                .contains(&("retry-after".to_owned(), "3".to_owned()))
        );
        assert!(matches!(
            responder.prepare(&call(1, None)),
            Err(PrepareError::Refused(failure)) if failure.kind == FailureKind::Permanent
        ));
    });
}

fn seen(house: &House, header: &str, name: &str) -> String {
    match policy(house)
        .admit(request("m", &[(header, name)]))
        .unwrap()
    {
        Verdict::Amend(amendments) => match &amendments[..] {
            [Amendment::Tag { value, .. }] => value.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_guest_sees_a_credential_under_any_spelling() {
    each_version(|house| {
        for name in [
            "authorization",
            "Authorization",
            "AUTHORIZATION",
            "aUtHoRiZaTiOn",
            "X-Api-Key",
            "x-api-key",
            "Cookie",
            "x-amz-security-token",
            "X-Goog-Api-Key",
            "x-acme-secret",
        ] {
            assert_eq!(seen(house, "x-ask-header", name), "nothing", "{name}");
        }
        assert_eq!(seen(house, "x-ask-header", "user-agent"), "a secret");
    });
}

#[test]
fn no_policy_reads_content_as_a_parameter() {
    each_version(|house| {
        for name in [
            "messages",
            "Messages",
            "instructions",
            "mcp_servers",
            "object",
            "long",
        ] {
            assert_eq!(seen(house, "x-ask-parameter", name), "nothing", "{name}");
        }
        assert_eq!(seen(house, "x-ask-parameter", "temperature"), "0.5");
    });
}

#[test]
fn calls_and_failed_answers_hide_credentials_too() {
    // The guest answers the path that it read from the header `x-path`, spelt as here.
    let wat = common::provider("vendor");
    let house = House::open(&[("vendor.wasm", wat)]);
    let generation = house.components.generation();
    let vendor = generation.providers["vendor"].configured("{}").unwrap();
    assert_eq!(
        vendor.prepare(&call(1, Some("/read"))).unwrap().path,
        "/read"
    );
    for name in ["Authorization", "X-Api-Key", "x-api-key"] {
        let house = House::open(&[("spy.wasm", common::spy(name))]);
        let generation = house.components.generation();
        let spy = generation.providers["spy"].configured("{}").unwrap();
        let headers = HashMap::from([(name.to_owned(), "/stolen".to_owned())]);
        let view: Arc<dyn CallView + Send + Sync> = Arc::new(common::Call {
            model: "m".into(),
            attempt: 1,
            headers,
        });
        assert_eq!(spy.prepare(&view).unwrap().path, "/nothing", "{name}");
        let failure = spy.classify(Arc::new(Everything)).unwrap();
        assert_eq!(failure.kind, FailureKind::Transient, "{name}");
    }
}

/// A failed answer that has any header one asks for.
struct Everything;

impl FailedAnswerView for Everything {
    fn status(&self) -> u16 {
        500
    }
    fn header(&self, _name: &str) -> Option<&str> {
        Some("auth")
    }
    fn body(&self) -> &[u8] {
        b""
    }
    fn operation(&self) -> &str {
        "messages"
    }
}

#[test]
fn text_is_judged_going_and_coming() {
    each_version(|house| {
        let policy = policy(house);
        let segment = |role, kind, text: &str| Segment {
            role,
            kind,
            text: text.to_owned(),
        };
        let segments = vec![
            segment("system", "text", "the nightingale sings"),
            segment("user", "text", "a nightingale"),
            segment("user", "tool-result", "nightingale"),
        ];
        match policy.inspect(request("m", &[]), segments.clone()).unwrap() {
            Judgement::Replace(replacements) => {
                assert_eq!(replacements.len(), 1);
                assert_eq!(
                    (replacements[0].index, replacements[0].text.as_str()),
                    (1, "a [bird]")
                );
            }
            other => panic!("{other:?}"),
        }
        let kept = policy
            .inspect(request("m", &[]), segments[..1].to_vec())
            .unwrap();
        assert_eq!(kept, Judgement::Keep);

        let filters = policy.answer_filters(request("m", &[])).unwrap();
        let mut channel = filters.open("text").unwrap();
        assert_eq!(channel.push("a nightin").unwrap(), "");
        assert_eq!(channel.push("gale").unwrap(), "");
        assert_eq!(channel.finish().unwrap(), "a [bird]");
        let mut reasoning = filters.open("reasoning").unwrap();
        match reasoning.push("unspeakable") {
            Err(FilterError::Denied(denial)) => assert_eq!(denial.message, "Not in reasoning."),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn candidates_are_ordered_and_left_out() {
    each_version(|house| {
        let policy = policy(house);
        let upstreams = Arc::new(Upstreams(vec!["a", "closed", "c"]));
        let order = policy.rank(request("m", &[]), Arc::<Upstreams>::clone(&upstreams));
        assert_eq!(order.unwrap(), [2, 0]);
        let nobody = policy.rank(request("m", &[("x-nobody", "1")]), upstreams);
        assert_eq!(nobody.unwrap(), [0_u32; 0]);
    });
}

#[test]
fn a_denial_and_an_outcome_arrive() {
    each_version(|house| {
        let policy = policy(house);
        match policy.admit(request("forbidden", &[])).unwrap() {
            Verdict::Deny(denial) => assert_eq!(
                (denial.reason.as_str(), denial.message.as_str()),
                ("forbidden-model", "Not this one.")
            ),
            other => panic!("{other:?}"),
        }
        let seen = Seen::start();
        tracing::subscriber::with_default(Seen::clone(&seen), || {
            policy.observe(Arc::new(Outcome)).unwrap();
        });
        let lines = seen.lines();
        let expected = "observed r1 200 m from up: 3 in, 4 out, 5 charged, root/a";
        assert!(
            lines.iter().any(|line| line.contains(expected)),
            "{lines:?}"
        );
    });
}

#[test]
fn many_channels_of_an_answer_share_one_instance_and_are_bounded() {
    each_version(|house| {
        let policy = policy(house);
        let made = policy.instances_made();
        let filters = policy.answer_filters(request("m", &[])).unwrap();
        let mut open = Vec::new();
        let error: PluginError = loop {
            match filters.open("text") {
                Ok(channel) => open.push(channel),
                Err(error) => break error,
            }
        };
        assert_eq!((error.kind, open.len()), (ErrorKind::Busy, 256));
        assert!(error.message.contains("256 channels"), "{error}");
        assert!(policy.instances_made() <= made + 1);
        // Those that are open go on, and others may open when one has ended.
        open[0].push("x").unwrap();
        assert_eq!(open.pop().unwrap().finish().unwrap(), "");
        open.push(filters.open("text").unwrap());
        let others = policy.answer_filters(request("m", &[])).unwrap();
        assert!(
            others.open("text").is_ok(),
            "another answer is not affected"
        );
        drop(open);
        drop(filters);
        assert_eq!(policy.admit(request("m", &[])).unwrap(), Verdict::Allow);
    });
}
