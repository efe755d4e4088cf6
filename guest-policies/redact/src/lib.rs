//! Policy component: redact. Takes e-mail addresses, card numbers, phone numbers, API keys and given words out of what
//! goes to a vendor and out of what comes back.
//!
//! Configuration:
//!
//! ```json
//! { "patterns": [{ "name": "email" }, { "name": "card" }, { "name": "phone" }, { "name": "api-key" },
//!                { "literal": "Project Nightingale" }],
//!   "with": "[redacted]", "reasoning": true }
//! ```
//!
//! `patterns` is required. `with` (default `[redacted]`) is what stands in their place. `reasoning` (default true) says
//! whether a model's reasoning in answers is redacted too: a vendor that signs its reasoning refuses a later turn in
//! which the signed text was changed. Reasoning that a client sends back is never touched: the vendor wrote it.
//!
//! A stream is held back only as far as its end may still become a match.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

use std::rc::Rc;

use tollgate_guest::{
    AnswerContent, AnswerFilter, Configuration, Content, Denial, Judgement, Replacement, Request,
    Segments,
};

mod detect;
mod numbers;
mod rules;
mod scan;

use rules::Rules;
use scan::Scanner;

/// The policy, configured.
pub struct Redact {
    rules: Rc<Rules>,
}

tollgate_guest::export!(Redact: configuration, content, answer_content);

impl Configuration for Redact {
    fn configure(config: &str) -> Result<Self, String> {
        Rules::read(config).map(|rules| Self {
            rules: Rc::new(rules),
        })
    }
}

impl Content for Redact {
    fn inspect(&self, _request: &Request, segments: &Segments) -> Judgement {
        let changed = (0..segments.count()).filter_map(|index| {
            let kind = segments.kind(index);
            if kind == "reasoning" {
                return None;
            }
            let before = segments.text(index);
            let mut scanner = Scanner::new(&self.rules, is_json(&kind));
            let mut text = scanner.push(&before);
            text.push_str(&scanner.finish());
            (text != before).then_some(Replacement { index, text })
        });
        Judgement::replacing(changed)
    }
}

impl AnswerContent for Redact {
    type Filter = Filter;

    fn open(&self, _request: &Request, kind: &str) -> Filter {
        if kind == "reasoning" && !self.rules.reasoning {
            return Filter(None);
        }
        Filter(Some(Scanner::new(&self.rules, is_json(kind))))
    }
}

/// One channel of an answer; without a scanner it lets everything through.
pub struct Filter(Option<Scanner>);

impl AnswerFilter for Filter {
    fn push(&mut self, text: &str) -> Result<String, Denial> {
        Ok(match &mut self.0 {
            Some(scanner) => scanner.push(text),
            None => text.to_owned(),
        })
    }

    fn finish(&mut self) -> Result<String, Denial> {
        Ok(self.0.as_mut().map(Scanner::finish).unwrap_or_default())
    }
}

/// Arguments of tools are JSON text and must stay it.
fn is_json(kind: &str) -> bool {
    kind == "tool-arguments"
}

#[cfg(test)]
mod tests;
