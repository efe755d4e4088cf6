//! The interfaces a provider may implement, as traits.

use crate::{Answer, Call, FailedAnswer, Failure, Head, Plan, Window};

/// Who the vendor is. Every provider implements it.
///
/// ```
/// # #[derive(Default)] struct Acme;
/// impl tollgate_guest::Manifest for Acme {
///     fn describe(&self) -> String {
///         // Usually `include_str!("manifest.json").to_owned()`.
///         r#"{"id":"acme","name":"Acme","endpoints":[],"models":[]}"#.to_owned()
///     }
/// }
/// ```
pub trait Manifest {
    /// The manifest as JSON text; its shape is `wit/<version>/manifest.schema.json`. Called once, at load.
    fn describe(&self) -> String;
}

/// How an exchange with the vendor looks. Every provider implements it.
///
/// ```
/// use tollgate_guest::{Call, Exchange, FailedAnswer, Failure, Plan, classify};
/// # #[derive(Default)] struct Acme;
/// impl Exchange for Acme {
///     fn prepare(&self, call: &Call) -> Result<Plan, Failure> {
///         let path = match call.operation().as_str() {
///             "chat-completions" => "/v1/chat/completions",
///             other => return Err(Failure::unsupported(other)),
///         };
///         Ok(Plan::post(path).header("authorization", "Bearer {api-key}"))
///     }
///     fn classify(&self, answer: &FailedAnswer) -> Failure {
///         classify::openai(answer)
///     }
/// }
/// ```
pub trait Exchange {
    /// Describes the request to send for one attempt; a function of what it reads from `call` alone.
    ///
    /// # Errors
    /// A failure fails the attempt; routing goes on with the next candidate.
    fn prepare(&self, call: &Call) -> Result<Plan, Failure>;

    /// Says what a failed answer means.
    fn classify(&self, answer: &FailedAnswer) -> Failure;
}

/// For vendors that sign what is sent.
///
/// ```
/// use tollgate_guest::{Head, Signing, credential};
/// # #[derive(Default)] struct Acme;
/// impl Signing for Acme {
///     fn sign(&self, head: Head) -> Result<Vec<(String, String)>, String> {
///         let text = format!("{}\n{}\n{}", head.method, head.path, head.now / 1000);
///         let mac = credential::mac("hmac-sha256", "secret-key", "", text.as_bytes())?;
///         let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
///         Ok(vec![("x-signature".to_owned(), hex)])
///     }
/// }
/// ```
pub trait Signing {
    /// Headers to add to the request about to be sent.
    ///
    /// # Errors
    /// A sentence; it fails the attempt.
    fn sign(&self, head: Head) -> Result<Vec<(String, String)>, String>;
}

/// For vendors that speak no standard dialect, or whose streams need mending.
///
/// ```
/// use tollgate_guest::{Call, Translation, Translator};
/// # #[derive(Default)] struct Acme;
/// struct AsIs;
/// impl Translator for AsIs {
///     fn request(&mut self, body: Vec<u8>) -> Result<Vec<u8>, String> { Ok(body) }
///     fn response(&mut self, body: Vec<u8>) -> Result<Vec<u8>, String> { Ok(body) }
///     fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>, String> { Ok(chunk) }
///     fn finish(&mut self) -> Result<Vec<u8>, String> { Ok(Vec::new()) }
/// }
/// impl Translation for Acme {
///     type Translator = AsIs;
///     fn open(&self, _call: &Call) -> AsIs { AsIs }
/// }
/// ```
pub trait Translation {
    /// What translates one exchange.
    type Translator: Translator;

    /// Starts an exchange, before the request is sent.
    fn open(&self, call: &Call) -> Self::Translator;
}

/// One exchange under translation; see [`Translation`] for an example.
pub trait Translator: 'static {
    /// The vendor's request body for the standard body given.
    ///
    /// # Errors
    /// A sentence for the client: a 400.
    fn request(&mut self, body: Vec<u8>) -> Result<Vec<u8>, String>;

    /// The standard answer for a whole answer of the vendor.
    ///
    /// # Errors
    /// A sentence; the answer counts as broken.
    fn response(&mut self, body: Vec<u8>) -> Result<Vec<u8>, String>;

    /// Bytes of the vendor's stream as they arrived, cut anywhere; returns the standard stream's bytes known by now.
    ///
    /// # Errors
    /// A sentence; the stream counts as broken.
    fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>, String>;

    /// The vendor's stream has ended; returns what is left.
    ///
    /// # Errors
    /// A sentence; the stream counts as broken.
    fn finish(&mut self) -> Result<Vec<u8>, String>;
}

/// Reads from an answer's headers how much of the vendor's own limits is used.
///
/// ```
/// use tollgate_guest::{Capacity, Window};
/// # #[derive(Default)] struct Acme;
/// impl Capacity for Acme {
///     fn read(&self, headers: &[(String, String)], _now: u64) -> Vec<Window> {
///         let used = headers.iter().find(|(name, _)| name == "x-acme-used-percent");
///         let Some(percent) = used.and_then(|(_, value)| value.parse::<u32>().ok()) else { return Vec::new() };
///         vec![Window { name: "requests".to_owned(), used_permille: percent * 10, resets_at: None }]
///     }
/// }
/// ```
pub trait Capacity {
    /// The windows told by the headers (names in lower case). `now` is Unix milliseconds.
    fn read(&self, headers: &[(String, String)], now: u64) -> Vec<Window>;
}

/// How to list the vendor's models.
///
/// ```
/// use tollgate_guest::{Catalogue, json::Json};
/// # #[derive(Default)] struct Acme;
/// impl Catalogue for Acme {
///     fn request(&self, _endpoint: &str) -> (String, Vec<(String, String)>) {
///         ("/v1/models".to_owned(), vec![("authorization".to_owned(), "Bearer {api-key}".to_owned())])
///     }
///     fn read(&self, body: &[u8]) -> Result<Vec<String>, String> {
///         let list = Json::parse_bytes(body).map_err(|why| why.to_string())?;
///         let models = list.get("data").and_then(Json::as_array).ok_or("the answer has no `data`")?;
///         Ok(models.iter().filter_map(|model| model.get("id")?.as_str().map(str::to_owned)).collect())
///     }
/// }
/// ```
pub trait Catalogue {
    /// Path and header templates of the listing request for an endpoint of the manifest.
    fn request(&self, endpoint: &str) -> (String, Vec<(String, String)>);

    /// Model ids in the answer's body.
    ///
    /// # Errors
    /// A sentence saying what is wrong with the answer.
    fn read(&self, body: &[u8]) -> Result<Vec<String>, String>;
}

/// Answers without any upstream.
///
/// ```
/// use tollgate_guest::{Answer, Call, Responder};
/// # #[derive(Default)] struct Acme;
/// impl Responder for Acme {
///     fn respond(&self, _call: &Call, _body: Vec<u8>) -> Answer {
///         Answer { status: 200, content_type: "application/json".to_owned(), body: b"{}".to_vec() }
///     }
/// }
/// ```
pub trait Responder {
    /// An answer in the dialect of the call; for a streaming call, the whole event stream.
    fn respond(&self, call: &Call, body: Vec<u8>) -> Answer;
}
