//! WebSockets: the upgrade, byte by byte, and messages both ways.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use common::{Seen, client, config, request, run, serve, target, until, write};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tollgate_upstream::{
    ClientConfig, ErrorKind, Phase, RequestHead, Target, Upgrade, UpstreamError, WebSocket,
    websocket_accept,
};

fn head(target: &Target) -> RequestHead {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("authorization", "Bearer secret"),
        ("content-type", "application/json"),
        ("accept", "text/event-stream"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("x-own", "kept"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    RequestHead::new(target, "/v1/responses?a=b", headers).unwrap()
}

/// Answers the upgrade as the standard says.
async fn grant(mut socket: TcpStream, seen: &Seen) -> WebSocketStream<TcpStream> {
    let asked = request(&mut socket, seen).await.unwrap();
    let key = asked
        .lines()
        .find_map(|line| line.strip_prefix("sec-websocket-key: "))
        .unwrap();
    let accept = websocket_accept(key.as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    write(&mut socket, head.as_bytes()).await;
    WebSocketStream::from_raw_socket(socket, Role::Server, None).await
}

async fn ask(
    config: ClientConfig,
    address: std::net::SocketAddr,
) -> Result<Upgrade, UpstreamError> {
    let target = target(address);
    client(config).upgrade(&target, &head(&target)).await
}

async fn open(config: ClientConfig, address: std::net::SocketAddr) -> Box<WebSocket> {
    match ask(config, address).await.unwrap() {
        Upgrade::Granted(socket) => socket,
        other => panic!("not granted: {other:?}"),
    }
}

async fn message(socket: &mut WebSocket) -> Result<Bytes, UpstreamError> {
    poll_fn(|cx| socket.poll_message(cx)).await
}

#[test]
fn the_upgrade_has_the_heads_path_and_headers_and_nothing_about_a_body() {
    run(async {
        let (address, seen) = serve(|socket, _, seen: Rc<Seen>| async move {
            let mut socket = grant(socket, &seen).await;
            let text = socket.next().await.unwrap().unwrap();
            let text = format!("heard {}", text.to_text().unwrap());
            socket.send(Message::text(text)).await.unwrap();
            while let Some(Ok(_)) = socket.next().await {}
        })
        .await;
        let mut socket = open(config(), address).await;
        socket
            .send(Bytes::from_static("caf\u{e9}".as_bytes()))
            .await
            .unwrap();
        assert_eq!(message(&mut socket).await.unwrap(), "heard caf\u{e9}");
        let asked = seen.requests.borrow()[0].to_ascii_lowercase();
        assert!(
            asked.starts_with("get /base/v1/responses?a=b http/1.1\r\n"),
            "{asked}"
        );
        for header in [
            "connection: upgrade",
            "upgrade: websocket",
            "sec-websocket-version: 13",
            "authorization: bearer secret",
            "x-own: kept",
        ] {
            assert!(
                asked.contains(&format!("\r\n{header}\r\n")),
                "{header}: {asked}"
            );
        }
        for absent in ["content-type", "content-length", "accept:", "extensions"] {
            assert!(!asked.contains(absent), "{absent}: {asked}");
        }
    });
}

#[test]
fn messages_that_come_with_the_answer_to_the_upgrade_are_not_lost() {
    run(async {
        let (address, _) = serve(|mut socket, _, seen: Rc<Seen>| async move {
            let asked = request(&mut socket, &seen).await.unwrap();
            let key = asked
                .lines()
                .find_map(|line| line.strip_prefix("sec-websocket-key: "))
                .unwrap();
            let accept = websocket_accept(key.as_bytes());
            let mut bytes = format!(
                "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
            )
            .into_bytes();
            bytes.extend_from_slice(b"\x81\x02{}");
            write(&mut socket, &bytes).await;
            std::future::pending::<()>().await;
        })
        .await;
        let mut socket = open(config(), address).await;
        assert_eq!(message(&mut socket).await.unwrap(), "{}");
    });
}

#[test]
fn a_refusal_is_told_with_its_status_headers_and_body() {
    run(async {
        for framing in [
            "content-length: 2\r\n\r\nno",
            "transfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        ] {
            let (address, _) = serve(move |mut socket, _, seen: Rc<Seen>| async move {
                request(&mut socket, &seen).await;
                let head = format!("HTTP/1.1 429 X\r\nretry-after: 7\r\n{framing}");
                write(&mut socket, head.as_bytes()).await;
                std::future::pending::<()>().await;
            })
            .await;
            let Upgrade::Refused(refused) = ask(config(), address).await.unwrap() else {
                panic!("not refused");
            };
            assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(refused.headers()["retry-after"], "7");
            assert_eq!(refused.body(), "no");
        }
    });
}

#[test]
fn what_answers_no_upgrade_is_told_from_a_vendor_that_cannot_be_reached() {
    run(async {
        let wrong = "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: AAAA\r\n\r\n";
        for answer in ["", "SSH-2.0-x\r\n\r\n", wrong] {
            let (address, _) = serve(move |mut socket, _, seen: Rc<Seen>| async move {
                request(&mut socket, &seen).await;
                write(&mut socket, answer.as_bytes()).await;
            })
            .await;
            let asked = ask(config(), address).await.unwrap();
            assert!(matches!(asked, Upgrade::Unanswered), "{answer}: {asked:?}");
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = ask(config(), address).await.unwrap_err();
        assert_eq!((error.kind, error.retry_safe), (ErrorKind::Connect, true));
    });
}

#[test]
fn pings_are_answered_while_nothing_is_expected() {
    run(async {
        let (address, seen) = serve(|socket, _, seen: Rc<Seen>| async move {
            let mut socket = grant(socket, &seen).await;
            socket
                .send(Message::Ping(Bytes::from_static(b"p")))
                .await
                .unwrap();
            let pong = socket.next().await.unwrap().unwrap();
            seen.requests.borrow_mut().push(format!("{pong:?}"));
            std::future::pending::<()>().await;
        })
        .await;
        // Nothing is expected yet, so no wait runs out.
        let impatient = ClientConfig {
            first_byte_timeout: Duration::from_millis(1),
            idle_timeout: Duration::from_millis(1),
            ..config()
        };
        let mut socket = open(impatient, address).await;
        let pinged = until(|| seen.requests.borrow().len() == 2);
        tokio::select! {
            () = pinged => {}
            told = message(&mut socket) => panic!("{told:?}"),
        }
        assert!(seen.requests.borrow()[1].starts_with("Pong"));
    });
}

#[test]
fn waits_run_out_by_phase_and_pings_within_an_answer_are_signs_of_life() {
    run(async {
        let (address, _) = serve(|socket, number, seen: Rc<Seen>| async move {
            let mut socket = grant(socket, &seen).await;
            socket.next().await.unwrap().unwrap();
            if number == 1 {
                socket.send(Message::text("1")).await.unwrap();
            }
            if number == 2 {
                socket.send(Message::text("1")).await.unwrap();
                // Together longer than the wait, each much shorter.
                for _ in 0..8 {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    socket.send(Message::Ping(Bytes::new())).await.unwrap();
                }
                socket.send(Message::text("2")).await.unwrap();
            }
            std::future::pending::<()>().await;
        })
        .await;
        // Short is the wait that is to run out, and no other.
        let (short, long) = (Duration::from_millis(200), Duration::from_secs(2));
        let impatient = ClientConfig {
            first_byte_timeout: short,
            ..config()
        };
        let mut socket = open(impatient, address).await;
        socket.send(Bytes::from_static(b"{}")).await.unwrap();
        let error = message(&mut socket).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout(Phase::FirstByte));

        let idle = |idle_timeout| ClientConfig {
            idle_timeout,
            ..config()
        };
        let mut socket = open(idle(short), address).await;
        socket.send(Bytes::from_static(b"{}")).await.unwrap();
        assert_eq!(message(&mut socket).await.unwrap(), "1");
        let error = message(&mut socket).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout(Phase::Idle));

        let mut socket = open(idle(long), address).await;
        socket.send(Bytes::from_static(b"{}")).await.unwrap();
        assert_eq!(message(&mut socket).await.unwrap(), "1");
        assert_eq!(message(&mut socket).await.unwrap(), "2");
        // Nothing more is expected: it may rest for as long as it likes.
        socket.rest();
        let resting = tokio::time::timeout(long + short, message(&mut socket)).await;
        assert!(resting.is_err(), "{resting:?}");
    });
}

#[test]
fn closes_cuts_and_what_is_no_text_are_errors_of_their_kind() {
    run(async {
        let (address, _) = serve(|socket, number, seen: Rc<Seen>| async move {
            let mut socket = grant(socket, &seen).await;
            match number {
                0 => socket.close(None).await.unwrap(),
                1 => drop(socket),
                2 => socket
                    .send(Message::Binary(Bytes::from_static(b"{}")))
                    .await
                    .unwrap(),
                _ => {
                    // A frame that is masked, as no server's is.
                    let socket = socket.get_mut();
                    write(socket, b"\x81\x82\0\0\0\0{}").await;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        })
        .await;
        for kind in [
            ErrorKind::Closed,
            ErrorKind::Closed,
            ErrorKind::Protocol,
            ErrorKind::Protocol,
        ] {
            let mut socket = open(config(), address).await;
            let error = message(&mut socket).await.unwrap_err();
            assert_eq!(error.kind, kind, "{error}");
            assert!(!error.retry_safe && !error.to_string().contains("secret"));
        }
    });
}

#[test]
fn a_websocket_that_is_dropped_is_closed() {
    run(async {
        let (address, seen) = serve(|socket, _, seen: Rc<Seen>| async move {
            let mut socket = grant(socket, &seen).await;
            while let Some(Ok(_)) = socket.next().await {}
            seen.requests.borrow_mut().push("closed".to_owned());
        })
        .await;
        drop(open(config(), address).await);
        until(|| seen.requests.borrow().len() == 2).await;
    });
}
