//! Checks a manifest the way a host that loads it would.

use crate::json::Json;

/// The last is no operation of its own: it says that an endpoint serves `responses` over a WebSocket, too.
const OPERATIONS: [&str; 8] = [
    "chat-completions",
    "responses",
    "compact",
    "input-tokens",
    "messages",
    "count-tokens",
    "embeddings",
    "responses-websocket",
];

const PRICES: [&str; 5] = [
    "input",
    "output",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
];

/// Everything that is wrong with a manifest, one sentence each; empty if nothing is.
///
/// ```
/// use tollgate_guest::testing::check_manifest;
/// assert_eq!(check_manifest("{}")[0], "`id` must be a non-empty string");
/// ```
pub fn check_manifest(text: &str) -> Vec<String> {
    let manifest = match Json::parse(text) {
        Ok(manifest) => manifest,
        Err(why) => return vec![format!("not JSON: {why}")],
    };
    let mut faults = Vec::new();
    for name in ["id", "name"] {
        if is_empty(manifest.get(name)) {
            faults.push(format!("`{name}` must be a non-empty string"));
        }
    }
    let endpoints = array(&manifest, "endpoints");
    if endpoints.is_empty() {
        faults.push("`endpoints` must list at least one endpoint".to_owned());
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        check_endpoint(&format!("endpoints[{index}]"), endpoint, &mut faults);
    }
    let models = array(&manifest, "models");
    if models.is_empty() && manifest.get("any_model").and_then(Json::as_bool) != Some(true) {
        faults.push(
            "`models` is empty and `any_model` is not set: no request could be served".to_owned(),
        );
    }
    for (index, model) in models.iter().enumerate() {
        check_model(&format!("models[{index}]"), model, &mut faults);
    }
    let aliases = models.iter().flat_map(|model| array(model, "aliases"));
    let names = models
        .iter()
        .filter_map(|model| model.get("id"))
        .chain(aliases);
    check_unique("models", names, &mut faults);
    check_unique(
        "endpoints",
        endpoints.iter().filter_map(|endpoint| endpoint.get("name")),
        &mut faults,
    );
    faults
}

fn check_endpoint(place: &str, endpoint: &Json, faults: &mut Vec<String>) {
    if is_empty(endpoint.get("name")) {
        faults.push(format!("`{place}.name` must be a non-empty string"));
    }
    let base = endpoint
        .get("base_url")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let scheme = base.starts_with("https://") || base.starts_with("http://");
    if !scheme || base.ends_with('/') || base.contains(['?', '#', ' ', '@']) {
        faults.push(format!(
            "`{place}.base_url` must be a plain http(s) address without a trailing slash"
        ));
    }
    check_operations(place, endpoint, true, faults);
}

fn check_model(place: &str, model: &Json, faults: &mut Vec<String>) {
    if is_empty(model.get("id")) {
        faults.push(format!("`{place}.id` must be a non-empty string"));
    }
    check_operations(place, model, false, faults);
    let Some(price) = model.get("price") else {
        return;
    };
    if is_empty(price.get("currency")) {
        faults.push(format!(
            "`{place}.price.currency` must be a non-empty string"
        ));
    }
    for name in PRICES {
        let required = name == "input" || name == "output";
        match price.get(name) {
            None if required => faults.push(format!("`{place}.price.{name}` is missing")),
            Some(value) if value.as_u64().is_none() => faults.push(format!(
                "`{place}.price.{name}` must be whole micro-units per million tokens"
            )),
            _ => {}
        }
    }
}

fn check_operations(place: &str, of: &Json, required: bool, faults: &mut Vec<String>) {
    if required && array(of, "operations").is_empty() {
        faults.push(format!(
            "`{place}.operations` must list at least one operation"
        ));
    }
    for operation in array(of, "operations") {
        if !operation
            .as_str()
            .is_some_and(|known| OPERATIONS.contains(&known))
        {
            faults.push(format!(
                "`{place}.operations` names {operation}, which no host knows"
            ));
        }
    }
}

fn check_unique<'a>(place: &str, names: impl Iterator<Item = &'a Json>, faults: &mut Vec<String>) {
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(&name) {
            faults.push(format!("`{place}` names {name} twice"));
        }
        seen.push(name);
    }
}

fn array<'a>(of: &'a Json, name: &str) -> &'a [Json] {
    of.get(name).and_then(Json::as_array).unwrap_or_default()
}

fn is_empty(value: Option<&Json>) -> bool {
    value.and_then(Json::as_str).is_none_or(str::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named_with_its_place() {
        let faults = check_manifest(
            r#"{"id":"a","name":"A","endpoints":[{"name":"x","base_url":"https://x/","operations":["chat"]}],
                "models":[{"id":"m","price":{"currency":"USD","input":1.5}},{"id":"n","aliases":["m"]}]}"#,
        );
        let expected = [
            "`endpoints[0].base_url` must be a plain http(s) address without a trailing slash",
            "`endpoints[0].operations` names \"chat\", which no host knows",
            "`models[0].price.input` must be whole micro-units per million tokens",
            "`models[0].price.output` is missing",
            "`models` names \"m\" twice",
        ];
        assert_eq!(faults, expected);
    }
}
