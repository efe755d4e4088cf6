//! `/api/usage/export`: rows as a stream. A thread reads the store as fast as the client takes them, and no faster.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tollgate_gateway::control::{ExportFormat, Filter, UsageExport};

use super::usage::within;
use crate::answer::{Refusal, work};
use crate::auth::Managing;
use crate::body::Query;

/// Exports at a time: each has a thread.
const AT_ONCE: usize = 8;
/// Pieces that are read ahead of the client.
const AHEAD: usize = 4;
/// A client that takes nothing for so long is hung up on.
const PATIENCE: Duration = Duration::from_secs(60);

/// The places that exports under way take.
#[derive(Clone)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// The query for an export.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rows {
    format: Option<String>,
    account: Option<String>,
    since: Option<String>,
    until: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    key: Option<String>,
    tag: Option<String>,
}

impl Rows {
    fn read(self) -> Result<(Filter, ExportFormat), Refusal> {
        let format = self.format.as_deref().unwrap_or("csv").parse()?;
        let filter = Filter {
            account: self.account,
            model: self.model,
            provider: self.provider,
            key: self.key,
            tag: self.tag,
            ..Filter::default()
        };
        Ok((within(filter, self.since, self.until)?, format))
    }
}

pub(super) async fn usage(
    managing: Managing,
    Extension(places): Extension<Places>,
    Query(rows): Query<Rows>,
) -> Response {
    match begin(managing, places, rows).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn begin(managing: Managing, places: Places, rows: Rows) -> Result<Response, Refusal> {
    let (filter, format) = rows.read()?;
    let Ok(place) = places.0.try_acquire_owned() else {
        let message = "as many exports are under way as there may be; try again later";
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message));
    };
    let export = work(move || managing.usage_export(&filter, format)).await?;
    let (pieces, mut read) = mpsc::channel(AHEAD);
    let runtime = Handle::current();
    std::thread::Builder::new()
        .name("export".to_owned())
        .spawn(move || {
            let _place = place;
            run(&export, &pieces, &runtime);
        })
        .map_err(|error| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    let (kind, name) = match format {
        ExportFormat::Csv => ("text/csv; charset=utf-8; header=present", "usage.csv"),
        ExportFormat::Jsonl => ("application/x-ndjson", "usage.jsonl"),
        ExportFormat::Otel => ("application/x-ndjson", "otel.jsonl"),
        ExportFormat::Focus => ("text/csv; charset=utf-8; header=present", "focus.csv"),
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    let stream = futures_util::stream::poll_fn(move |context| read.poll_recv(context));
    Ok((headers, Body::from_stream(stream)).into_response())
}

/// Writes the export into the channel. An error ends the answer before its end, so that nobody takes it for the whole.
fn run(
    export: &UsageExport,
    pieces: &mpsc::Sender<Result<Bytes, std::io::Error>>,
    runtime: &Handle,
) {
    let send = |piece| {
        let sent = async { tokio::time::timeout(PATIENCE, pieces.send(piece)).await };
        matches!(runtime.block_on(sent), Ok(Ok(())))
    };
    let mut slow = false;
    let written = export.write(&mut |piece| {
        let taken = send(Ok(Bytes::from(piece)));
        slow |= !taken;
        taken
    });
    let failed = match written {
        Err(error) => {
            tracing::error!(%error, "an export of usage failed");
            true
        }
        Ok(()) => slow,
    };
    if failed {
        // Nobody may be there any more.
        send(Err(std::io::Error::other(
            "the export could not be finished",
        )));
    }
}
