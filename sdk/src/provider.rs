//! The interfaces a provider may implement, as traits.

use crate::{Answer, AnswerHead, Call, FailedAnswer, Failure, Head, Listing, Page, Plan, Window};

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
    /// A failure fails the attempt. Routing goes on with the next candidate, unless it is the client's own mistake
    /// (`invalid-request`, `context-length`, `content-filtered`): then the client hears of it.
    fn prepare(&self, call: &Call) -> Result<Plan, Failure>;

    /// Says what a failed answer means.
    fn classify(&self, answer: &FailedAnswer) -> Failure;
}

/// For vendors that sign what is sent.
///
/// ```
/// use tollgate_guest::{Call, Head, Signing, credential};
/// # #[derive(Default)] struct Acme;
/// impl Signing for Acme {
///     fn sign(&self, _call: &Call, head: &Head) -> Result<Vec<(String, String)>, String> {
///         let text = format!("{}\n{}\n{}", head.method(), head.path(), head.now() / 1000);
///         let mac = credential::mac("hmac-sha256", "secret-key", "", text.as_bytes())?;
///         let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
///         // The host fills in the field after this has returned.
///         Ok(vec![("authorization".to_owned(), format!("Acme {{key-id}}:{hex}"))])
///     }
/// }
/// ```
pub trait Signing {
    /// Headers to add to the request about to be sent, or to put in the place of the plan's. Values are templates, as in
    /// [`Plan::header`](crate::Plan::header).
    ///
    /// # Errors
    /// A sentence; it fails the attempt.
    fn sign(&self, call: &Call, head: &Head) -> Result<Vec<(String, String)>, String>;
}

/// For vendors that speak no standard dialect, or whose streams need mending. Towards the host a translator speaks the
/// dialect that [`Call::dialect`] names, both ways.
///
/// ```
/// use tollgate_guest::{Call, Failure, Translation, Translator};
/// # #[derive(Default)] struct Acme;
/// struct AsIs;
/// impl Translator for AsIs {
///     fn request(&mut self, body: Vec<u8>) -> Result<Vec<u8>, Failure> { Ok(body) }
///     fn response(&mut self, body: Vec<u8>) -> Result<Vec<u8>, Failure> { Ok(body) }
///     fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>, Failure> { Ok(chunk) }
///     fn finish(&mut self) -> Result<Vec<u8>, Failure> { Ok(Vec::new()) }
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
    /// The vendor's request body for the standard body given, which the plan's edits have been applied to.
    ///
    /// # Errors
    /// A failure of the kind `invalid-request` is the client's 400; others fail the attempt.
    fn request(&mut self, body: Vec<u8>) -> Result<Vec<u8>, Failure>;

    /// The vendor has answered with a success; does nothing unless told otherwise.
    ///
    /// # Errors
    /// A failure fails the attempt.
    fn answered(&mut self, head: &AnswerHead) -> Result<(), Failure> {
        let _ = head;
        Ok(())
    }

    /// The standard answer for a whole answer of the vendor.
    ///
    /// # Errors
    /// A failure fails the attempt.
    fn response(&mut self, body: Vec<u8>) -> Result<Vec<u8>, Failure>;

    /// Bytes of the vendor's stream as they arrived, cut anywhere; returns the standard stream's bytes known by now.
    ///
    /// # Errors
    /// What the vendor reports inside its stream, or a stream that cannot be read. Fails the attempt where nothing has
    /// gone to the client yet, and ends the client's stream with an error otherwise.
    fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>, Failure>;

    /// The vendor's stream has ended; returns what is left.
    ///
    /// # Errors
    /// As [`push`](Self::push); a stream that was cut short is a failure.
    fn finish(&mut self) -> Result<Vec<u8>, Failure>;
}

/// Reads from an answer's headers how much of the vendor's own limits is used.
///
/// ```
/// use tollgate_guest::{AnswerHead, Capacity, Window};
/// # #[derive(Default)] struct Acme;
/// impl Capacity for Acme {
///     fn read(&self, head: &AnswerHead) -> Vec<Window> {
///         let used = head.header("x-acme-used-percent");
///         let percent = used.and_then(|value| value.parse::<u32>().ok());
///         percent.into_iter().map(|percent| Window::new("requests", percent * 10)).collect()
///     }
/// }
/// ```
pub trait Capacity {
    /// The windows told by the head of an answer.
    fn read(&self, head: &AnswerHead) -> Vec<Window>;
}

/// How to list the vendor's models.
///
/// ```
/// use tollgate_guest::{Catalogue, Listing, Page, json::Json};
/// # #[derive(Default)] struct Acme;
/// impl Catalogue for Acme {
///     fn request(&self, _endpoint: &str) -> Listing {
///         Listing::get("/v1/models").header("authorization", "Bearer {api-key}")
///     }
///     fn read(&self, body: &[u8]) -> Result<Page, String> {
///         let list = Json::parse_bytes(body).map_err(|why| why.to_string())?;
///         let models = list.get("data").and_then(Json::as_array).ok_or("the answer has no `data`")?;
///         Ok(Page::last(models.iter().filter_map(|model| model.get("id")?.as_str().map(str::to_owned))))
///     }
/// }
/// ```
pub trait Catalogue {
    /// The listing request for an endpoint of the manifest.
    fn request(&self, endpoint: &str) -> Listing;

    /// The models in the answer's body.
    ///
    /// # Errors
    /// A sentence saying what is wrong with the answer.
    fn read(&self, body: &[u8]) -> Result<Page, String>;
}

/// Answers without any upstream.
///
/// ```
/// use tollgate_guest::{Answer, Call, Responder};
/// # #[derive(Default)] struct Acme;
/// impl Responder for Acme {
///     fn respond(&self, _call: &Call, _body: Vec<u8>) -> Answer {
///         Answer::json(200, "{}")
///     }
/// }
/// ```
pub trait Responder {
    /// An answer in the dialect of the call; for a streaming call, the whole event stream.
    fn respond(&self, call: &Call, body: Vec<u8>) -> Answer;
}
