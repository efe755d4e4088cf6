//! Recorded exchanges: reads them, and reads their usage independently of the gateway's code.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::endpoints::Endpoint;
use crate::simulator::{Answer, Tokens};

/// A recorded exchange that can be replayed.
#[derive(Debug)]
pub struct Exchange {
    /// File and case.
    pub name: String,
    /// The vendor's name.
    pub vendor: String,
    /// The endpoint it belongs to.
    pub endpoint: &'static Endpoint,
    /// The model asked for.
    pub model: String,
    /// The status the vendor answered with.
    pub status: u16,
    /// The request body.
    pub request: String,
    /// The answer's body.
    pub body: String,
    /// Whether the answer is an event stream.
    pub stream: bool,
    headers: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Line {
    case: String,
    vendor: String,
    dialect: String,
    status: u16,
    #[serde(default)]
    request: Option<Box<RawValue>>,
    #[serde(default)]
    response_headers: Option<serde_json::Map<String, Value>>,
    response: Body,
}

#[derive(Deserialize)]
struct Body {
    json: Option<Box<RawValue>>,
    sse: Option<String>,
    text: Option<String>,
}

/// Reads all exchanges of a folder; those that cannot be replayed come back as name and reason.
///
/// # Panics
/// When a file cannot be read or is not what it should be.
pub fn load(folder: &Path) -> (Vec<Exchange>, Vec<(String, String)>) {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (mut exchanges, mut skipped) = (Vec::new(), Vec::new());
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".jsonl") || name.starts_with("client-requests") {
            continue;
        }
        for line in fs::read_to_string(&file).unwrap().lines() {
            let line: Line =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}"));
            let name = format!("{name}: {}", line.case);
            match exchange(name.clone(), line) {
                Ok(exchange) => exchanges.push(exchange),
                Err(reason) => skipped.push((name, reason)),
            }
        }
    }
    (exchanges, skipped)
}

fn exchange(name: String, line: Line) -> Result<Exchange, String> {
    let operation = match line.dialect.as_str() {
        "openai-chat" => "chat-completions",
        "openai-responses" => "responses",
        "anthropic-messages" => "messages",
        "count-tokens" => "count-tokens",
        "responses-compact" => "compact",
        "responses-input-tokens" => "input-tokens",
        "embeddings" => "embeddings",
        other => return Err(format!("dialect {other} has no endpoint here")),
    };
    let request = line
        .request
        .filter(|request| request.get() != "null")
        .ok_or("no request recorded")?;
    let parsed: Value = serde_json::from_str(request.get()).map_err(|error| error.to_string())?;
    let model = parsed["model"]
        .as_str()
        .ok_or("the request names no model")?
        .to_owned();
    // Two files hold exchanges of another endpoint than their name says.
    let operation = if operation == "responses" && parsed.get("encoding_format").is_some() {
        "embeddings"
    } else {
        operation
    };
    let (body, stream) = match line.response {
        Body {
            json: Some(json), ..
        } => (json.get().to_owned(), false),
        Body { sse: Some(sse), .. } => (sse, true),
        Body {
            text: Some(text), ..
        } => (text, false),
        _ => return Err("the answer is not text".into()),
    };
    let headers = line.response_headers.unwrap_or_default();
    let headers = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
        .collect();
    Ok(Exchange {
        name,
        vendor: line.vendor,
        endpoint: Endpoint::of(operation),
        model,
        status: line.status,
        request: request.get().to_owned(),
        body,
        stream,
        headers,
    })
}

impl Exchange {
    /// The vendor's answer, headers as recorded (those of the transport left out).
    pub fn answer(&self) -> Answer {
        let mut answer = if self.stream {
            Answer::events(&self.body)
        } else {
            Answer::json(self.status, self.body.as_str())
        };
        answer = answer.status(self.status).without_content_type();
        for (name, value) in &self.headers {
            let name = name.to_ascii_lowercase();
            let of_transport = [
                "content-length",
                "transfer-encoding",
                "connection",
                "content-encoding",
                "keep-alive",
            ];
            if !of_transport.contains(&name.as_str()) {
                answer = answer.header(&name, value);
            }
        }
        answer
    }

    /// The usage that the vendor told in the dialect's own place; `None` if it told none.
    ///
    /// # Panics
    /// When the answer is not what its dialect says.
    pub fn usage(&self) -> Option<Tokens> {
        let documents: Vec<Value> = if self.stream {
            events(&self.body)
        } else {
            vec![
                serde_json::from_str(&self.body)
                    .unwrap_or_else(|error| panic!("{}: {error}", self.name)),
            ]
        };
        match self.endpoint.operation {
            "messages" => anthropic(&documents),
            "count-tokens" | "input-tokens" => None,
            _ => openai(&documents),
        }
    }
}

/// The `data` of an event stream's events that are JSON.
pub fn events(stream: &str) -> Vec<Value> {
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    lines
        .filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect()
}

/// The last usage object told counts. Cached tokens are part of the input told.
fn openai(documents: &[Value]) -> Option<Tokens> {
    let usage = documents.iter().rev().find_map(|document| {
        let places = ["/usage", "/response/usage"];
        places
            .iter()
            .find_map(|place| document.pointer(place).filter(|usage| usage.is_object()))
    })?;
    let count = |places: &[&str]| {
        places
            .iter()
            .find_map(|place| usage.pointer(place)?.as_u64())
            .unwrap_or(0)
    };
    let all_input = count(&["/prompt_tokens", "/input_tokens"]);
    let cache_read = count(&[
        "/prompt_tokens_details/cached_tokens",
        "/input_tokens_details/cached_tokens",
        "/prompt_cache_hit_tokens",
        "/cached_tokens",
    ]);
    let cache_write_5m = count(&[
        "/prompt_tokens_details/cache_write_tokens",
        "/input_tokens_details/cache_write_tokens",
    ]);
    Some(Tokens {
        input: all_input - cache_read - cache_write_5m,
        cache_read,
        cache_write_5m,
        cache_write_1h: 0,
        output: count(&["/completion_tokens", "/output_tokens"]),
        reasoning: count(&[
            "/completion_tokens_details/reasoning_tokens",
            "/output_tokens_details/reasoning_tokens",
        ]),
    })
}

/// Later counts replace earlier ones; caches are told apart from the input.
fn anthropic(documents: &[Value]) -> Option<Tokens> {
    let mut told = serde_json::Map::new();
    for document in documents {
        let usage = document
            .pointer("/message/usage")
            .or_else(|| document.get("usage"));
        for (name, value) in usage.and_then(Value::as_object).into_iter().flatten() {
            if !value.is_null() {
                told.insert(name.clone(), value.clone());
            }
        }
    }
    if told.is_empty() {
        return None;
    }
    let told = Value::Object(told);
    let count = |place: &str| told.pointer(place).and_then(Value::as_u64);
    let written = count("/cache_creation_input_tokens").unwrap_or(0);
    let cache_write_1h = count("/cache_creation/ephemeral_1h_input_tokens").unwrap_or(0);
    Some(Tokens {
        input: count("/input_tokens").unwrap_or(0),
        cache_read: count("/cache_read_input_tokens").unwrap_or(0),
        cache_write_5m: written - cache_write_1h,
        cache_write_1h,
        output: count("/output_tokens").unwrap_or(0),
        reasoning: count("/output_tokens_details/thinking_tokens").unwrap_or(0),
    })
}
