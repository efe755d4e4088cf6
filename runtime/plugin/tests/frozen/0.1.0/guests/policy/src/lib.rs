//! A policy that exports every policy interface.

use tollgate_guest::json::Json;
use tollgate_guest::{
    Admission, Amendment, AnswerContent, AnswerFilter, Candidates, Configuration, Content, Denial,
    Judgement, Observation, Outcome, Replacement, Request, Routing, Segments, Verdict, log,
};

pub struct Rule {
    word: String,
}

tollgate_guest::export!(Rule: configuration, admission, content, answer_content, routing, observation);

impl Configuration for Rule {
    fn configure(config: &str) -> Result<Self, String> {
        let config = Json::parse(config).map_err(|_| "the configuration is not JSON".to_owned())?;
        let word = config.get("word").map_or(Some("nightingale"), Json::as_str);
        Ok(Self {
            word: word.ok_or("`word` must be text")?.to_owned(),
        })
    }
}

impl Admission for Rule {
    fn admit(&self, request: &Request) -> Verdict {
        if request.model() == "forbidden" {
            return Verdict::deny("forbidden-model", "Not this one.");
        }
        // What it can see of headers and parameters, for tests that it cannot see too much.
        let asked = request
            .header("x-ask-header")
            .map(|name| request.header(&name));
        let asked = asked.or_else(|| {
            request
                .header("x-ask-parameter")
                .map(|name| request.parameter(&name))
        });
        match asked {
            None => Verdict::Allow,
            Some(seen) => {
                let seen = seen.unwrap_or_else(|| "nothing".to_owned());
                Verdict::Amend(vec![Amendment::Tag(("seen".to_owned(), seen))])
            }
        }
    }
}

impl Content for Rule {
    fn inspect(&self, _request: &Request, segments: &Segments) -> Judgement {
        let found = (0..segments.count())
            .filter(|&index| segments.role(index) == "user" && segments.kind(index) == "text");
        let texts = found
            .map(|index| (index, segments.text(index)))
            .filter(|(_, text)| text.contains(&self.word));
        Judgement::replacing(texts.map(|(index, text)| Replacement {
            index,
            text: text.replace(&self.word, "[bird]"),
        }))
    }
}

impl AnswerContent for Rule {
    type Filter = Hush;

    fn open(&self, _request: &Request, kind: &str) -> Hush {
        Hush {
            word: self.word.clone(),
            kind: kind.to_owned(),
            held: String::new(),
        }
    }
}

/// Holds back a whole channel.
pub struct Hush {
    word: String,
    kind: String,
    held: String,
}

impl AnswerFilter for Hush {
    fn push(&mut self, text: &str) -> Result<String, Denial> {
        if text.contains("unspeakable") {
            return Err(Denial::new("unspeakable", format!("Not in {}.", self.kind)));
        }
        self.held.push_str(text);
        Ok(String::new())
    }

    fn finish(&mut self) -> Result<String, Denial> {
        Ok(self.held.replace(&self.word, "[bird]"))
    }
}

impl Routing for Rule {
    fn rank(&self, request: &Request, candidates: &Candidates) -> Vec<u32> {
        if request.header("x-nobody").is_some() {
            return Vec::new();
        }
        (0..candidates.count())
            .rev()
            .filter(|&position| candidates.tier(position) != "closed")
            .collect()
    }
}

impl Observation for Rule {
    fn observe(&self, outcome: &Outcome) {
        log::info(&format!(
            "observed {} {} {} from {}: {} in, {} out, {} charged, {}",
            outcome.request_id(),
            outcome.status(),
            outcome.model(),
            outcome.upstream(),
            outcome.input_tokens(),
            outcome.output_tokens(),
            outcome.charged(),
            outcome.account_path().join("/"),
        ));
    }
}
