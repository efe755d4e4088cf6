//! A provider that exports every provider interface but `responder`: its vendor has a dialect of its own and wants each
//! request signed.
//!
//! The vendor's request is `{"ask":<standard body>}`, its whole answer `{"say":<standard body>}`. In its stream a line
//! `>` and text is a line of the standard stream, and a line `!` with a failure's kind and a message is a failure.

use tollgate_guest::json::Json;
use tollgate_guest::{
    AnswerHead, Call, Capacity, Catalogue, Configuration, Exchange, FailedAnswer, Failure, Head,
    Listing, Manifest, Page, Plan, Signing, Translation, Translator, Window, credential, kind,
};

pub struct Vendor {
    always: bool,
}

tollgate_guest::export!(Vendor: configuration, manifest, exchange, signing, translation, capacity, catalogue);

impl Configuration for Vendor {
    fn configure(config: &str) -> Result<Self, String> {
        let config = Json::parse(config).map_err(|_| "the configuration is not JSON".to_owned())?;
        match config.get("always") {
            None => Ok(Self { always: false }),
            Some(always) => Ok(Self {
                always: always.as_bool().ok_or("`always` must be true or false")?,
            }),
        }
    }
}

impl Manifest for Vendor {
    fn describe(&self) -> String {
        r#"{"id":"frozen-provider","name":"Frozen","endpoints":[{"name":"north","base_url":"https://north.example/base",
            "operations":["chat-completions","messages"]}],"credential":{"fields":[{"name":"key-id","secret":false},
            {"name":"secret-key"}]},"models":[{"id":"frozen-1","price":{"currency":"USD","input":1000000,"output":2000000}}]}"#
            .to_owned()
    }
}

impl Exchange for Vendor {
    fn prepare(&self, call: &Call) -> Result<Plan, Failure> {
        let plan = Plan::post("/v9/answers")
            .header("x-key-id", "{key-id}")
            .header_text("x-attempt", &call.attempt().to_string())
            .forward(call, "x-note")
            .set("/flavour", "plain");
        Ok(if self.always {
            plan.always_stream()
        } else {
            plan
        })
    }

    fn classify(&self, answer: &FailedAnswer) -> Failure {
        let meaning = answer
            .header("x-meaning")
            .unwrap_or_else(|| kind::TRANSIENT.to_owned());
        Failure::new(meaning).with_message(String::from_utf8_lossy(&answer.body()))
    }
}

impl Signing for Vendor {
    fn sign(&self, call: &Call, head: &Head) -> Result<Vec<(String, String)>, String> {
        let region = call.endpoint();
        let text = [
            head.method(),
            head.authority(),
            head.path(),
            head.now().to_string(),
            head.header_names().join(";"),
            head.header("x-key-id").unwrap_or_default(),
            hex(&head.body_sha256()),
        ]
        .join("\n");
        let mac = credential::mac("hmac-sha256", "secret-key", "FROZEN1", text.as_bytes())?;
        Ok(vec![
            ("x-date".to_owned(), head.now().to_string()),
            (
                "authorization".to_owned(),
                format!("FROZEN1 {{key-id}}/{region}:{}", hex(&mac)),
            ),
        ])
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// One exchange.
#[derive(Default)]
pub struct Lines {
    /// What has come of a line that is not complete.
    begun: Vec<u8>,
    /// A failure that was read behind good text, for the next call.
    failed: Option<Failure>,
}

impl Translation for Vendor {
    type Translator = Lines;

    fn open(&self, _call: &Call) -> Lines {
        Lines::default()
    }
}

impl Translator for Lines {
    fn request(&mut self, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let has = |word: &str| body.windows(word.len()).any(|at| at == word.as_bytes());
        if has("untranslatable") {
            return Err(Failure::new(kind::INVALID_REQUEST).with_message("Frozen cannot say this."));
        }
        if has("exhausting") {
            return Err(Failure::new(kind::OVERLOADED));
        }
        Ok([b"{\"ask\":", &*body, b"}"].concat())
    }

    fn answered(&mut self, head: &AnswerHead) -> Result<(), Failure> {
        match head.header("x-failure") {
            Some(kind) if head.status() == 200 => Err(Failure::new(kind)),
            _ => Ok(()),
        }
    }

    fn response(&mut self, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let said = body
            .strip_prefix(b"{\"say\":")
            .and_then(|said| said.strip_suffix(b"}"));
        said.map(<[u8]>::to_vec)
            .ok_or_else(|| Failure::new(kind::TRANSIENT))
    }

    fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>, Failure> {
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        self.begun.extend(chunk);
        let Some(end) = self.begun.iter().rposition(|&byte| byte == b'\n') else {
            return Ok(Vec::new());
        };
        let rest = self.begun.split_off(end + 1);
        let lines = std::mem::replace(&mut self.begun, rest);
        let mut out = Vec::new();
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            match line {
                [b'>', text @ ..] => out.extend(text),
                [b'!', text @ ..] => {
                    let failed = failure(&String::from_utf8_lossy(text));
                    if out.is_empty() {
                        return Err(failed);
                    }
                    self.failed = Some(failed);
                    return Ok(out);
                }
                _ => return Err(Failure::new(kind::TRANSIENT)),
            }
        }
        Ok(out)
    }

    fn finish(&mut self) -> Result<Vec<u8>, Failure> {
        match self.failed.take() {
            Some(failed) => Err(failed),
            None if self.begun.is_empty() => Ok(Vec::new()),
            None => Err(Failure::new(kind::TRANSIENT).with_message("cut short")),
        }
    }
}

fn failure(text: &str) -> Failure {
    let (kind, message) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    Failure::new(kind).with_message(message)
}

impl Capacity for Vendor {
    fn read(&self, head: &AnswerHead) -> Vec<Window> {
        let used = head
            .header("x-used-permille")
            .and_then(|used| used.parse().ok());
        used.map(|used| Window::new("requests", used).resets_at(Some(head.arrived_at() + 1000)))
            .into_iter()
            .collect()
    }
}

impl Catalogue for Vendor {
    fn request(&self, endpoint: &str) -> Listing {
        Listing::get(format!("/v9/models?at={endpoint}")).header("x-key-id", "{key-id}")
    }

    fn read(&self, body: &[u8]) -> Result<Page, String> {
        let list = Json::parse_bytes(body).map_err(|_| "the list is not JSON".to_owned())?;
        let models = list
            .get("models")
            .and_then(Json::as_array)
            .ok_or("the list has no `models`")?;
        let mut page = Page::last(models.iter().filter_map(Json::as_str).map(str::to_owned));
        page.next_path = list.get("next").and_then(Json::as_str).map(str::to_owned);
        Ok(page)
    }
}
