//! What a guest may look at: the host's resources, or their doubles in a native test.

use crate::bindings::host::tollgate::extension as wit;

/// Defines a view: a copyable handle whose getters read the host's resource, or a test double of the same shape.
macro_rules! view {
    (
        $(#[$doc:meta])*
        $name:ident reads $host:path, doubled by $double:ident {
            $($(#[$getter_doc:meta])* $getter:ident($($arg:ident: $arg_type:ty),*) -> $result:ty;)*
        }
    ) => {
        /// What a test double of the view answers.
        #[cfg(not(target_family = "wasm"))]
        pub(crate) trait $double {
            $(fn $getter(&self, $($arg: $arg_type),*) -> $result;)*
        }

        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name<'a>(Source<'a, $host, double::$name>);

        impl<'a> $name<'a> {
            /// A view of the host's resource.
            pub(crate) fn of_host(host: &'a $host) -> Self {
                Self(Source::Host(host))
            }

            /// A view of a test double.
            #[cfg(not(target_family = "wasm"))]
            pub(crate) fn of_double(double: &'a crate::testing::$name) -> Self {
                Self(Source::Double(double))
            }

            $(
                $(#[$getter_doc])*
                pub fn $getter(&self, $($arg: $arg_type),*) -> $result {
                    match self.0 {
                        Source::Host(host) => host.$getter($($arg),*),
                        #[cfg(not(target_family = "wasm"))]
                        Source::Double(double) => $double::$getter(double, $($arg),*),
                        #[cfg(target_family = "wasm")]
                        Source::Nothing(_, never) => match never {},
                    }
                }
            )*
        }
    };
}

/// Where a view reads from. On wasm there is only the host.
enum Source<'a, Host, Double> {
    Host(&'a Host),
    #[cfg(not(target_family = "wasm"))]
    Double(&'a Double),
    #[cfg(target_family = "wasm")]
    #[allow(dead_code, reason = "never made: it only names the type parameter")]
    Nothing(std::marker::PhantomData<Double>, std::convert::Infallible),
}

impl<Host, Double> Clone for Source<'_, Host, Double> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Host, Double> Copy for Source<'_, Host, Double> {}

#[cfg(not(target_family = "wasm"))]
use crate::testing as double;

/// On wasm nothing stands in for the host.
#[cfg(target_family = "wasm")]
mod double {
    pub(super) type AnswerHead = ();
    pub(super) type Head = ();
    pub(super) type Segments = ();
    pub(super) type Call = ();
    pub(super) type FailedAnswer = ();
    pub(super) type Request = ();
    pub(super) type Candidates = ();
    pub(super) type Outcome = ();
}

view! {
    /// One attempt to have a request answered by a vendor.
    ///
    /// ```
    /// let double = tollgate_guest::testing::Call::new("chat-completions").model("kimi-k3").streaming(true);
    /// assert!(double.view().streaming());
    /// ```
    Call reads wit::call::Call, doubled by CallDouble {
        /// `chat-completions`, `responses`, `compact`, `input-tokens`, `messages`, `count-tokens` or `embeddings`; others may
        /// come.
        operation() -> String;
        /// The standard dialect of the exchange.
        dialect() -> String;
        /// The model's name at the vendor.
        model() -> String;
        /// Whether a stream is wanted.
        streaming() -> bool;
        /// The name of the endpoint in use, one of those in the manifest.
        endpoint() -> String;
        /// A header the client sent, by lower-case name. Credentials and cookies are always `None`.
        header(name: &str) -> Option<String>;
        /// A stable key of the conversation, if the client gave one.
        session() -> Option<String>;
        /// 1 for this request's first attempt at upstreams of this provider, then 2, and so on.
        attempt() -> u32;
    }
}

view! {
    /// An answer that is not a success.
    ///
    /// ```
    /// let double = tollgate_guest::testing::FailedAnswer::new(503);
    /// assert_eq!(double.view().status(), 503);
    /// ```
    FailedAnswer reads wit::call::FailedAnswer, doubled by FailedAnswerDouble {
        /// The HTTP status. 200 where the failure sat inside a successful answer.
        status() -> u16;
        /// A header of the answer, by lower-case name.
        header(name: &str) -> Option<String>;
        /// The body, or the failing event's data; at most 64 KiB of it.
        body() -> Vec<u8>;
        /// The operation that failed.
        operation() -> String;
    }
}

view! {
    /// Status and headers of a vendor's answer, before its body.
    ///
    /// ```
    /// let double = tollgate_guest::testing::AnswerHead::new(200).header("content-type", "application/json");
    /// assert_eq!(double.view().header("content-type").as_deref(), Some("application/json"));
    /// ```
    AnswerHead reads wit::call::AnswerHead, doubled by AnswerHeadDouble {
        /// The HTTP status.
        status() -> u16;
        /// A header of the answer, by lower-case name.
        header(name: &str) -> Option<String>;
        /// When the head arrived, in Unix milliseconds.
        arrived_at() -> u64;
    }
}

view! {
    /// The request about to be sent, after all edits and after translation.
    ///
    /// ```
    /// let double = tollgate_guest::testing::Head::post("api.acme.example", "/v1/chat").header("x-date", "today");
    /// assert_eq!(double.view().header("x-date").as_deref(), Some("today"));
    /// ```
    Head reads wit::outgoing::Head, doubled by HeadDouble {
        /// The HTTP method.
        method() -> String;
        /// Host name and port as in the URL.
        authority() -> String;
        /// Path and query as they are sent.
        path() -> String;
        /// A header of the plan, by lower-case name; its template is not filled in.
        header(name: &str) -> Option<String>;
        /// Names of the plan's headers, in its order.
        header_names() -> Vec<String>;
        /// SHA-256 of the body as it is sent, 32 bytes.
        body_sha256() -> Vec<u8>;
        /// Unix milliseconds, for the signature's date.
        now() -> u64;
    }
}

view! {
    /// The pieces of text in a request. A position beyond the last answers with the empty value.
    ///
    /// ```
    /// let double = tollgate_guest::testing::Segments::of([("user", "text", "hello")]);
    /// assert_eq!(double.view().text(0), "hello");
    /// ```
    Segments reads wit::segments::Segments, doubled by SegmentsDouble {
        /// How many there are.
        count() -> u32;
        /// `system`, `developer`, `user`, `assistant` or `tool`.
        role(position: u32) -> String;
        /// `text`, `tool-arguments`, `tool-result` or `reasoning`.
        kind(position: u32) -> String;
        /// The text.
        text(position: u32) -> String;
    }
}

view! {
    /// One client request.
    ///
    /// ```
    /// let double = tollgate_guest::testing::Request::new("responses", "gpt-6-sol");
    /// assert_eq!(double.view().model(), "gpt-6-sol");
    /// ```
    Request reads wit::request::Request, doubled by RequestDouble {
        /// The gateway's own id for it.
        id() -> String;
        /// `chat-completions`, `responses`, `compact`, `input-tokens`, `messages`, `count-tokens` or `embeddings`; others may
        /// come.
        operation() -> String;
        /// The dialect the client speaks.
        dialect() -> String;
        /// The model asked for, earlier policies' amendments applied.
        model() -> String;
        /// Whether the client asked for a stream.
        streaming() -> bool;
        /// The output cap in tokens, if there is one.
        output_cap() -> Option<u64>;
        /// A setting among the top-level members of the body, as JSON text; never content, never an object.
        parameter(name: &str) -> Option<String>;
        /// A header the client sent, by lower-case name; never a credential or a cookie.
        header(name: &str) -> Option<String>;
        /// Names of the accounts from the root to the one the key belongs to.
        account_path() -> Vec<String>;
        /// The key's label, not the key.
        key_label() -> String;
        /// Size of the request body in bytes.
        body_size() -> u64;
    }
}

view! {
    /// Who could serve a request. A position beyond the last answers with the empty or zero value.
    ///
    /// ```
    /// use tollgate_guest::testing::{Candidate, Candidates};
    /// let double = Candidates::of([Candidate::new("a"), Candidate::new("b")]);
    /// assert_eq!(double.view().count(), 2);
    /// ```
    Candidates reads wit::candidates::Candidates, doubled by CandidatesDouble {
        /// How many there are.
        count() -> u32;
        /// The upstream's name, as the operator gave it.
        upstream(position: u32) -> String;
        /// The provider component's id.
        provider(position: u32) -> String;
        /// The model's name at the vendor.
        model(position: u32) -> String;
        /// The operator's label for a class of upstreams; empty if none.
        tier(position: u32) -> String;
        /// Price of a million input tokens in micro-units of the base currency; `None` if unknown.
        input_price(position: u32) -> Option<u64>;
        /// Price of a million output tokens in micro-units of the base currency; `None` if unknown.
        output_price(position: u32) -> Option<u64>;
        /// Requests under way at this upstream.
        load(position: u32) -> u32;
        /// Smoothed time to the first byte in milliseconds; 0 if not known yet.
        latency_ms(position: u32) -> u32;
        /// Whether the host would use it now.
        healthy(position: u32) -> bool;
    }
}

view! {
    /// How a request ended.
    ///
    /// ```
    /// let double = tollgate_guest::testing::Outcome { status: 200, ..Default::default() };
    /// assert_eq!(double.view().status(), 200);
    /// ```
    Outcome reads wit::outcomes::Outcome, doubled by OutcomeDouble {
        /// The gateway's id of the request.
        request_id() -> String;
        /// The status the client got.
        status() -> u16;
        /// The model that was asked for.
        model() -> String;
        /// The upstream that answered; empty if none did.
        upstream() -> String;
        /// All input tokens, cache included.
        input_tokens() -> u64;
        /// All output tokens, reasoning included.
        output_tokens() -> u64;
        /// What was charged, in micro-units.
        charged() -> u64;
        /// Milliseconds from the request's arrival to the last byte.
        duration_ms() -> u64;
        /// Names of the accounts from the root to the one that asked.
        account_path() -> Vec<String>;
    }
}
