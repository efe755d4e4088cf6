//! A provider that answers by itself.

use tollgate_guest::{
    Answer, Call, Exchange, FailedAnswer, Failure, Manifest, Plan, Responder, kind,
};

#[derive(Default)]
pub struct Oracle;

tollgate_guest::export!(Oracle: manifest, exchange, responder);

impl Manifest for Oracle {
    fn describe(&self) -> String {
        r#"{"id":"frozen-responder","name":"Oracle","endpoints":[{"name":"here","base_url":"https://nowhere.example",
            "operations":["chat-completions"]}],
            "models":[{"id":"oracle-1","price":{"currency":"USD","input":1,"output":1}}]}"#
            .to_owned()
    }
}

impl Exchange for Oracle {
    fn prepare(&self, call: &Call) -> Result<Plan, Failure> {
        Err(Failure::unsupported(&call.operation()))
    }

    fn classify(&self, _answer: &FailedAnswer) -> Failure {
        Failure::new(kind::RATE_LIMITED).retry_after(Some(1500))
    }
}

impl Responder for Oracle {
    fn respond(&self, call: &Call, body: Vec<u8>) -> Answer {
        if call.model() == "tired" {
            return Answer::json(429, "{}").header("retry-after", "3");
        }
        if call.streaming() {
            return Answer::events(format!(
                "data: {}\n\ndata: [DONE]\n\n",
                String::from_utf8_lossy(&body)
            ));
        }
        Answer::json(200, body).header("x-oracle", call.operation())
    }
}
