//! From the generated export traits to the traits a guest implements.

use std::cell::RefCell;

use crate::bindings::admission::exports::tollgate::extension::admission;
use crate::bindings::answer_content::exports::tollgate::extension::answer_content;
use crate::bindings::capacity::exports::tollgate::extension::capacity;
use crate::bindings::catalogue::exports::tollgate::extension::catalogue;
use crate::bindings::configuration::exports::tollgate::extension::configuration;
use crate::bindings::content::exports::tollgate::extension::content;
use crate::bindings::exchange::exports::tollgate::extension::exchange;
use crate::bindings::host::tollgate::extension as wit;
use crate::bindings::manifest::exports::tollgate::extension::manifest;
use crate::bindings::observation::exports::tollgate::extension::observation;
use crate::bindings::responder::exports::tollgate::extension::responder;
use crate::bindings::routing::exports::tollgate::extension::routing;
use crate::bindings::signing::exports::tollgate::extension::signing;
use crate::bindings::translation::exports::tollgate::extension::translation;
use crate::{
    Admission, Answer, AnswerContent, AnswerFilter, AnswerHead, Call, Candidates, Capacity,
    Catalogue, Configuration, Content, Denial, Exchange, FailedAnswer, Failure, Head, Instance,
    Judgement, Listing, Manifest, Observation, Outcome, Page, Plan, Request, Responder, Routing,
    Segments, Signing, Translation, Translator, Verdict, Window,
};

type Headers = Vec<(String, String)>;

impl<T: Manifest + Instance> manifest::Guest for T {
    fn describe() -> String {
        T::get().describe()
    }
}

impl<T: Exchange + Instance> exchange::Guest for T {
    fn prepare(call: &wit::call::Call) -> Result<Plan, Failure> {
        Exchange::prepare(T::get(), &Call::of_host(call))
    }

    fn classify(answer: &wit::call::FailedAnswer) -> Failure {
        Exchange::classify(T::get(), &FailedAnswer::of_host(answer))
    }
}

impl<T: Signing + Instance> signing::Guest for T {
    fn sign(call: &wit::call::Call, head: &wit::outgoing::Head) -> Result<Headers, String> {
        Signing::sign(T::get(), &Call::of_host(call), &Head::of_host(head))
    }
}

impl<T: Translation + Instance> translation::Guest for T {
    type ExchangeTranslator = TranslatorOf<T>;
}

/// A translator as a component resource, entered by one call at a time; names the guest whose `open` makes it.
pub struct TranslatorOf<T: Translation>(RefCell<T::Translator>);

impl<T: Translation + Instance> translation::GuestExchangeTranslator for TranslatorOf<T> {
    fn new(call: &wit::call::Call) -> Self {
        let translator = Translation::open(T::get(), &Call::of_host(call));
        Self(RefCell::new(translator))
    }

    fn request(&self, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        self.0.borrow_mut().request(body)
    }

    fn answered(&self, head: &wit::call::AnswerHead) -> Result<(), Failure> {
        self.0.borrow_mut().answered(&AnswerHead::of_host(head))
    }

    fn response(&self, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        self.0.borrow_mut().response(body)
    }

    fn push(&self, chunk: Vec<u8>) -> Result<Vec<u8>, Failure> {
        self.0.borrow_mut().push(chunk)
    }

    fn finish(&self) -> Result<Vec<u8>, Failure> {
        self.0.borrow_mut().finish()
    }
}

impl<T: Capacity + Instance> capacity::Guest for T {
    fn read(head: &wit::call::AnswerHead) -> Vec<Window> {
        Capacity::read(T::get(), &AnswerHead::of_host(head))
    }
}

impl<T: Catalogue + Instance> catalogue::Guest for T {
    fn request(endpoint: String) -> Listing {
        Catalogue::request(T::get(), &endpoint)
    }

    fn read(body: Vec<u8>) -> Result<Page, String> {
        Catalogue::read(T::get(), &body)
    }
}

impl<T: Responder + Instance> responder::Guest for T {
    fn respond(call: &wit::call::Call, body: Vec<u8>) -> Answer {
        Responder::respond(T::get(), &Call::of_host(call), body)
    }
}

impl<T: Configuration + Instance> configuration::Guest for T {
    fn configure(config: String) -> Result<(), String> {
        T::install(<T as Configuration>::configure(&config)?)
    }
}

impl<T: Admission + Instance> admission::Guest for T {
    fn admit(request: &wit::request::Request) -> Verdict {
        Admission::admit(T::get(), &Request::of_host(request))
    }
}

impl<T: Content + Instance> content::Guest for T {
    fn inspect(request: &wit::request::Request, segments: &wit::segments::Segments) -> Judgement {
        Content::inspect(
            T::get(),
            &Request::of_host(request),
            &Segments::of_host(segments),
        )
    }
}

/// A filter as a component resource; names the guest whose `open` makes it.
pub struct FilterOf<T: AnswerContent>(RefCell<T::Filter>);

impl<T: AnswerContent + Instance> answer_content::Guest for T {
    type AnswerFilter = FilterOf<T>;
}

impl<T: AnswerContent + Instance> answer_content::GuestAnswerFilter for FilterOf<T> {
    fn new(request: &wit::request::Request, kind: String) -> Self {
        let filter = AnswerContent::open(T::get(), &Request::of_host(request), &kind);
        Self(RefCell::new(filter))
    }

    fn push(&self, text: String) -> Result<String, Denial> {
        self.0.borrow_mut().push(&text)
    }

    fn finish(&self) -> Result<String, Denial> {
        self.0.borrow_mut().finish()
    }
}

impl<T: Routing + Instance> routing::Guest for T {
    fn rank(request: &wit::request::Request, candidates: &wit::candidates::Candidates) -> Vec<u32> {
        Routing::rank(
            T::get(),
            &Request::of_host(request),
            &Candidates::of_host(candidates),
        )
    }
}

impl<T: Observation + Instance> observation::Guest for T {
    fn observe(outcome: &wit::outcomes::Outcome) {
        Observation::observe(T::get(), &Outcome::of_host(outcome));
    }
}
