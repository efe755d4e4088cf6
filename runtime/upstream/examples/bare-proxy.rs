//! The least a gateway can cost: hyper's server, this crate's client, and nothing between them.
//!
//! `bare-proxy BASE_URL` prints the address it listens on. `cargo xtask bench` measures it beside nginx, so that what the
//! gateway adds on top can be told from what HTTP costs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measuring tool: it may fail loudly"
)]

use std::sync::Arc;

use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tollgate_upstream::{
    Client, ClientConfig, Coalesce, RequestHead, Target, Tls, UpstreamBody, scrub_request,
    scrub_response,
};

type Body = Either<Coalesce<UpstreamBody>, Full<bytes::Bytes>>;

async fn forward(
    client: &Client,
    target: &Arc<Target>,
    request: Request<Incoming>,
) -> Result<Response<Body>, hyper::Error> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    scrub_request(&mut head.headers);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let answer = match RequestHead::new(target, path, head.headers) {
        Ok(to_send) => client.send(target, head.method, &to_send, body).await,
        Err(error) => Err(error),
    };
    Ok(match answer {
        Ok(answer) => {
            let (mut head, body) = answer.into_parts();
            scrub_response(&mut head.headers);
            Response::from_parts(head, Either::Left(Coalesce::new(body)))
        }
        Err(error) => {
            let mut answer = Response::new(Either::Right(Full::from(error.to_string())));
            *answer.status_mut() = http::StatusCode::BAD_GATEWAY;
            answer
        }
    })
}

fn main() {
    let base = std::env::args().nth(1).expect("usage: bare-proxy BASE_URL");
    let target = Arc::new(Target::parse(&base).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())
        .unwrap();
    // Not a `LocalSet`: it wakes itself with a system call for each socket event.
    runtime.block_on(async move {
        let client = Client::new(ClientConfig::default(), Tls::new(None).unwrap());
        let sweeper = client.clone();
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                sweeper.sweep();
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            let (client, target) = (client.clone(), Arc::clone(&target));
            tokio::task::spawn_local(async move {
                let service = service_fn(|request| forward(&client, &target, request));
                let mut server = hyper::server::conn::http1::Builder::new();
                // A client that goes away ends its connection with an error; that is its own affair.
                let _ = server
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            });
        }
    });
}
