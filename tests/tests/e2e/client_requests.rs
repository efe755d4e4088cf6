//! What real clients were recorded to send: accepted, and forwarded byte for byte.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::places;
use tollgate_tests::socket::{self, Socket};
use tollgate_tests::wire::Request;
use tollgate_tests::world::{World, upstream};

#[derive(Deserialize)]
struct Line {
    case: String,
    method: Option<String>,
    path: Option<String>,
    #[serde(default)]
    query: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<Box<RawValue>>,
    #[serde(default)]
    ws: bool,
    ws_frame: Option<Box<RawValue>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_real_clients_send_is_accepted_and_forwarded_byte_for_byte() {
    let file = places::recordings()
        .map(|folder| folder.join("client-requests.jsonl"))
        .filter(|file| file.is_file());
    let Some(file) = file else {
        println!("no recorded client requests found");
        return;
    };
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Line> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let world = World::new().await;
    for provider in ["openai", "anthropic"] {
        let mut models = BTreeSet::new();
        for line in &lines {
            let path = line.path.as_deref().unwrap_or_default();
            let endpoint = ENDPOINTS.iter().find(|endpoint| endpoint.path == path);
            if let (Some(endpoint), Some(body)) = (endpoint, &line.body)
                && endpoint.upstream == provider
            {
                let body: Value = serde_json::from_str(body.get()).unwrap();
                models.extend(body["model"].as_str().map(str::to_owned));
            }
        }
        // The same name may be asked of both: each endpoint finds the upstream that serves its operation.
        let models: Vec<&str> = models.iter().map(String::as_str).collect();
        world
            .management()
            .upstream(provider, upstream(&world.simulator, provider, &models))
            .await;
    }
    let (mut sent, mut wrong) = (0, Vec::new());
    // The WebSocket that the frames of the recording go through.
    let mut socket: Option<Socket> = None;
    let mut answered = Value::Null;
    for line in &lines {
        if let Some(frame) = &line.ws_frame {
            let Some(socket) = &mut socket else {
                continue;
            };
            sent += 1;
            let mut frame: Value = serde_json::from_str(frame.get()).unwrap();
            // Clients go on from the answer that they got; here that is ours.
            if frame["previous_response_id"].is_string() {
                frame["previous_response_id"] = answered.clone();
            }
            socket.send(&frame).await;
            let told = socket.answer().await;
            let last = told.last().cloned().unwrap_or_default();
            if last["type"] != "response.completed" {
                wrong.push(format!("{}: {last}", line.case));
            }
            answered = last["response"]["id"].clone();
            continue;
        }
        let (Some(method), Some(path)) = (&line.method, &line.path) else {
            continue;
        };
        let target = if line.query.is_empty() {
            path.clone()
        } else {
            format!("{path}?{}", line.query)
        };
        let mut request = Request::new(method, &target);
        for (name, value) in &line.headers {
            let name = name.to_ascii_lowercase();
            let value = match name.as_str() {
                "host" | "content-length" | "transfer-encoding" | "connection" if !line.ws => {
                    continue;
                }
                "authorization" => format!("Bearer {}", world.key.secret),
                "x-api-key" => world.key.secret.clone(),
                "sec-websocket-key" => socket::KEY.to_owned(),
                _ => value.clone(),
            };
            if name != "host" {
                request = request.header(&name, &value);
            }
        }
        let body = line
            .body
            .as_ref()
            .map(|body| body.get())
            .filter(|body| *body != "null");
        if let Some(body) = body {
            request = request.body(body);
        }
        sent += 1;
        if line.ws {
            // The recording has no headers that are about the connection alone.
            let request = request.header("connection", "Upgrade");
            match Socket::begin(world.gateway.address(), &request).await {
                Ok(open) => socket = Some(open),
                Err(refused) => wrong.push(format!("{}: {refused:?}", line.case)),
            }
            continue;
        }
        world.simulator.forget();
        let reply = world.gateway.send(&request).await;
        let wanted = match path.starts_with("/v1/models/") {
            // Whether a model of that name is there is the manifests' business.
            true if reply.status() == 404 => 404,
            _ => 200,
        };
        if reply.status() != wanted {
            wrong.push(format!(
                "{}: {} {:.300}",
                line.case,
                reply.status(),
                reply.text()
            ));
            continue;
        }
        let Some(body) = body else { continue };
        let got = world.simulator.last().text();
        if got != body && !chat_stream_asked_for_usage(path, body, &got) {
            wrong.push(format!(
                "{}: {path}: the vendor got another body ({} and {} bytes)",
                line.case,
                got.len(),
                body.len()
            ));
        }
        let endpoint = ENDPOINTS
            .iter()
            .find(|endpoint| endpoint.path == path)
            .unwrap_or(Endpoint::of("messages"));
        let received = world.simulator.last();
        let beta = line
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("anthropic-beta"));
        if let (true, Some((_, beta))) = (endpoint.anthropic, beta)
            && received.header("anthropic-beta") != Some(beta)
        {
            wrong.push(format!(
                "{}: anthropic-beta became {:?}",
                line.case,
                received.header("anthropic-beta")
            ));
        }
    }
    println!("sent {sent} recorded client requests");
    assert!(
        wrong.is_empty(),
        "{} findings:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A chat stream whose client did not ask for the usage differs by that wish alone.
fn chat_stream_asked_for_usage(path: &str, body: &str, got: &str) -> bool {
    let wished = |text: &str| {
        let mut body: Value = serde_json::from_str(text).unwrap();
        body["stream_options"]["include_usage"] = Value::Bool(true);
        body
    };
    let body_value: Value = serde_json::from_str(body).unwrap();
    path.ends_with("/chat/completions")
        && body_value["stream"] == true
        && wished(body) == wished(got)
}
