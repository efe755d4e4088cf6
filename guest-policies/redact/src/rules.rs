//! What to look for, as the operator configured it.

use tollgate_guest::json::Json;

use crate::detect::Detector;

const MEMBERS: [&str; 3] = ["patterns", "with", "reasoning"];
const NAMES: &str = "`email`, `card`, `phone` or `api-key`";

/// The configuration, read.
pub(crate) struct Rules {
    pub(crate) detectors: Vec<Detector>,
    /// Literals as they look inside a JSON string, where that is different.
    pub(crate) json_literals: Vec<Detector>,
    pub(crate) with: String,
    /// The same as it looks inside a JSON string.
    pub(crate) with_json: String,
    pub(crate) reasoning: bool,
}

impl Rules {
    /// Reads the operator's configuration; the error is a sentence that names the member.
    pub(crate) fn read(config: &str) -> Result<Self, String> {
        let config =
            Json::parse(config).map_err(|why| format!("the configuration is not JSON: {why}"))?;
        let members = config
            .as_object()
            .ok_or("the configuration must be a JSON object")?;
        if let Some((name, _)) = members
            .iter()
            .find(|(name, _)| !MEMBERS.contains(&name.as_str()))
        {
            return Err(format!(
                "`{name}` is not a setting; there are {}",
                MEMBERS.join(", ")
            ));
        }
        let patterns = config
            .get("patterns")
            .and_then(Json::as_array)
            .unwrap_or_default();
        if patterns.is_empty() {
            return Err("`patterns` must list at least one pattern".to_owned());
        }
        let detectors = patterns
            .iter()
            .enumerate()
            .map(|(index, pattern)| detector(index, pattern))
            .collect::<Result<Vec<_>, _>>()?;
        let with = match config.get("with") {
            None => "[redacted]".to_owned(),
            Some(with) => with.as_str().ok_or("`with` must be a string")?.to_owned(),
        };
        let reasoning = match config.get("reasoning") {
            None => true,
            Some(reasoning) => reasoning
                .as_bool()
                .ok_or("`reasoning` must be true or false")?,
        };
        Ok(Self {
            json_literals: detectors.iter().filter_map(escaped).collect(),
            with_json: inside_string(&with),
            detectors,
            with,
            reasoning,
        })
    }
}

fn detector(index: usize, pattern: &Json) -> Result<Detector, String> {
    let place = format!("`patterns[{index}]`");
    let members = pattern
        .as_object()
        .ok_or(format!("{place} must be an object"))?;
    match members {
        [(member, Json::String(value))] if member == "name" => match value.as_str() {
            "email" => Ok(Detector::Email),
            "card" => Ok(Detector::Card),
            "phone" => Ok(Detector::Phone),
            "api-key" => Ok(Detector::ApiKey),
            other => Err(format!("{place} names `{other}`; a name is {NAMES}")),
        },
        [(member, Json::String(value))] if member == "literal" && !value.is_empty() => {
            Ok(Detector::Literal(value.clone()))
        }
        _ => Err(format!(
            "{place} must have either a `name` ({NAMES}) or a non-empty `literal`"
        )),
    }
}

/// A literal as it looks inside a JSON string, if that differs.
fn escaped(detector: &Detector) -> Option<Detector> {
    match detector {
        Detector::Literal(literal) => {
            let escaped = inside_string(literal);
            (escaped != *literal).then_some(Detector::Literal(escaped))
        }
        _ => None,
    }
}

fn inside_string(text: &str) -> String {
    let quoted = Json::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let neither = "`patterns[0]` must have either a `name` (`email`, `card`, `phone` or `api-key`) or a non-empty `literal`";
        let cases = [
            (
                "",
                "the configuration is not JSON: a value was expected at byte 0",
            ),
            ("null", "the configuration must be a JSON object"),
            ("{}", "`patterns` must list at least one pattern"),
            (
                r#"{"patterns":[]}"#,
                "`patterns` must list at least one pattern",
            ),
            (
                r#"{"patern":[]}"#,
                "`patern` is not a setting; there are patterns, with, reasoning",
            ),
            (
                r#"{"patterns":["email"]}"#,
                "`patterns[0]` must be an object",
            ),
            (
                r#"{"patterns":[{"name":"ssn"}]}"#,
                "`patterns[0]` names `ssn`; a name is `email`, `card`, `phone` or `api-key`",
            ),
            (r#"{"patterns":[{"literal":""}]}"#, neither),
            (r#"{"patterns":[{"name":"email","literal":"x"}]}"#, neither),
            (
                r#"{"patterns":[{"name":"email"}],"with":0}"#,
                "`with` must be a string",
            ),
            (
                r#"{"patterns":[{"name":"email"}],"reasoning":0}"#,
                "`reasoning` must be true or false",
            ),
        ];
        for (config, expected) in cases {
            assert_eq!(
                Rules::read(config).err().as_deref(),
                Some(expected),
                "{config}"
            );
        }
    }
}
