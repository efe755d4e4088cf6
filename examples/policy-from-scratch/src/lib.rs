//! A policy to start from: caps how long answers may be, and tags each request with the cost centre that a client names.

use tollgate_guest::json::Json;
use tollgate_guest::{Admission, Amendment, Configuration, Request, Verdict};

/// The policy, as configured. Its fields are what `configure` made of the operator's JSON.
pub struct HouseRules {
    max_output: u64,
    cost_centre_required: bool,
}

// What is listed here is exported, and nothing else.
tollgate_guest::export!(HouseRules: configuration, admission);

const HEADER: &str = "x-cost-centre";

impl Configuration for HouseRules {
    // Called once on each fresh instance. The sentence goes to the operator who typed the configuration.
    fn configure(config: &str) -> Result<Self, String> {
        let config =
            Json::parse(config).map_err(|why| format!("the configuration is not JSON: {why}"))?;
        let max_output = config.get("max_output").and_then(Json::as_u64);
        let required = match config.get("cost_centre_required") {
            None => false,
            Some(value) => value
                .as_bool()
                .ok_or("`cost_centre_required` must be true or false")?,
        };
        Ok(Self {
            max_output: max_output
                .filter(|&cap| cap > 0)
                .ok_or("`max_output` must be a whole number of tokens above 0")?,
            cost_centre_required: required,
        })
    }
}

impl Admission for HouseRules {
    // A policy may only narrow: deny, lower a cap, set a parameter, tag. If it fails, the request is denied.
    fn admit(&self, request: &Request) -> Verdict {
        let mut amendments = Vec::new();
        match request.header(HEADER) {
            Some(centre) => amendments.push(Amendment::Tag(("cost-centre".to_owned(), centre))),
            None if self.cost_centre_required => {
                let message = format!("Please name your cost centre in the header {HEADER}.");
                return Verdict::deny("cost-centre-missing", message);
            }
            None => {}
        }
        if request.output_cap().is_none_or(|cap| cap > self.max_output) {
            amendments.push(Amendment::CapOutput(self.max_output));
        }
        if amendments.is_empty() {
            Verdict::Allow
        } else {
            Verdict::Amend(amendments)
        }
    }
}

// Tests run natively: `cargo test`, no wasm and no gateway needed.
#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_guest::testing;

    fn rules(config: &str) -> HouseRules {
        HouseRules::configure(config).unwrap()
    }

    #[test]
    fn a_cap_is_only_ever_lowered() {
        let rules = rules(r#"{"max_output":1000}"#);
        let asked = |cap: u64| testing::Request::new("messages", "m").output_cap(cap);
        assert_eq!(rules.admit(&asked(999).view()), Verdict::Allow);
        let capped = Verdict::Amend(vec![Amendment::CapOutput(1000)]);
        assert_eq!(rules.admit(&asked(5000).view()), capped);
        assert_eq!(
            rules.admit(&testing::Request::new("messages", "m").view()),
            capped
        );
    }

    #[test]
    fn a_cost_centre_becomes_a_tag_and_may_be_required() {
        let rules = rules(r#"{"max_output":1000,"cost_centre_required":true}"#);
        let request = testing::Request::new("messages", "m").output_cap(10);
        assert!(
            matches!(rules.admit(&request.view()), Verdict::Deny(denial) if denial.reason == "cost-centre-missing")
        );
        let tagged = request.header(HEADER, "4711");
        let tag = Amendment::Tag(("cost-centre".into(), "4711".into()));
        assert_eq!(rules.admit(&tagged.view()), Verdict::Amend(vec![tag]));
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused_with_a_sentence() {
        assert_eq!(
            HouseRules::configure("{}").err().as_deref(),
            Some("`max_output` must be a whole number of tokens above 0")
        );
    }
}
