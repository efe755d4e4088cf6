//! Keeping, reusing, losing and closing connections, on real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]
mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use common::*;
use http::{HeaderMap, Method, header};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;
use tollgate_upstream::{ClientConfig, ErrorKind, Phase, RequestHead};

#[test]
fn a_connection_is_kept_and_used_again() {
    run(async {
        let (address, seen) = serve(|socket, _, seen| answer_json(socket, seen)).await;
        let (client, target) = (client(config()), target(address));
        for _ in 0..5 {
            let response = post(&client, &target, "{}").await.unwrap();
            assert_eq!(response.body().size_hint().exact(), Some(11));
            assert_eq!(text(response).await.unwrap(), r#"{"ok":true}"#);
        }
        assert_eq!(
            (seen.connections.get(), seen.requests.borrow().len()),
            (1, 5)
        );
        assert_eq!(client.idle_connections(), 1);
    });
}

#[test]
fn the_request_head_is_ours_where_it_must_be() {
    run(async {
        let (address, seen) = serve(|socket, _, seen| answer_json(socket, seen)).await;
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "evil.example".parse().unwrap());
        headers.insert(header::CONTENT_LENGTH, "999".parse().unwrap());
        headers.insert(header::TRANSFER_ENCODING, "chunked".parse().unwrap());
        headers.insert(header::ACCEPT_ENCODING, "gzip".parse().unwrap());
        headers.insert("x-kept", "1".parse().unwrap());
        let target = target(address);
        let head = RequestHead::new(&target, "/x", headers).unwrap();
        let response = client(config())
            .send(&target, Method::POST, &head, Bytes::from_static(b"hello"))
            .await
            .unwrap();
        text(response).await.unwrap();
        let request = seen.requests.borrow()[0].to_ascii_lowercase();
        assert!(
            request.starts_with("post /base/x http/1.1\r\n"),
            "{request}"
        );
        for line in [
            &format!("host: {address}"),
            "content-length: 5",
            "accept-encoding: identity",
            "x-kept: 1",
        ] {
            assert_eq!(
                request.matches(&format!("\r\n{line}\r\n")).count(),
                1,
                "{line} in {request}"
            );
        }
        assert!(
            !request.contains("evil") && !request.contains("999") && !request.contains("chunked"),
            "{request}"
        );
    });
}

#[test]
fn many_at_once_use_many_connections_and_no_more_than_allowed_are_kept() {
    run(async {
        let (address, seen) = serve(|socket, _, seen| answer_json(socket, seen)).await;
        let (client, target) = (client(config()), target(address));
        let all = (0..10).map(|_| async {
            text(post(&client, &target, "{}").await.unwrap())
                .await
                .unwrap()
        });
        futures_util::future::join_all(all).await;
        assert_eq!(seen.connections.get(), 10);
        assert_eq!(client.idle_connections(), 4);
    });
}

#[test]
fn a_stale_connection_is_replaced_and_the_request_sent_once_more() {
    run(async {
        // The first connection answers once and dies in silence when the second request has been read: the
        // worst case, for the request has left already.
        let (address, seen) = serve(|mut socket, number, seen| async move {
            if number == 0 {
                request(&mut socket, &seen).await.unwrap();
                write(
                    &mut socket,
                    b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na",
                )
                .await;
                request(&mut socket, &seen).await.unwrap();
            } else {
                answer_json(socket, seen).await;
            }
        })
        .await;
        let (client, target) = (client(config()), target(address));
        assert_eq!(
            text(post(&client, &target, "one").await.unwrap())
                .await
                .unwrap(),
            "a"
        );
        assert_eq!(
            text(post(&client, &target, "two").await.unwrap())
                .await
                .unwrap(),
            r#"{"ok":true}"#
        );
        assert_eq!(seen.connections.get(), 2);
        let requests = seen.requests.borrow();
        assert_eq!(requests.len(), 3);
        assert_eq!(requests[1], requests[2], "the same request, byte for byte");
    });
}

#[test]
fn a_connection_closed_while_idle_is_replaced_without_a_trace() {
    run(async {
        let may_close = Rc::new(Notify::new());
        let (noted, closed) = (Rc::clone(&may_close), Rc::new(Cell::new(0)));
        let count = Rc::clone(&closed);
        let (address, seen) = serve(move |mut socket, _, seen| {
            let (may_close, closed) = (Rc::clone(&noted), Rc::clone(&count));
            async move {
                request(&mut socket, &seen).await.unwrap();
                write(
                    &mut socket,
                    b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na",
                )
                .await;
                may_close.notified().await;
                drop(socket);
                closed.set(closed.get() + 1);
            }
        })
        .await;
        let (client, target) = (client(config()), target(address));
        for n in 1..=3 {
            assert_eq!(
                text(post(&client, &target, "x").await.unwrap())
                    .await
                    .unwrap(),
                "a"
            );
            assert_eq!(client.idle_connections(), 1);
            may_close.notify_one();
            until(|| closed.get() == n).await;
        }
        assert_eq!(
            (seen.connections.get(), seen.requests.borrow().len()),
            (3, 3)
        );
        until(|| {
            client.sweep();
            client.idle_connections() == 0
        })
        .await;
    });
}

#[test]
fn a_fresh_connection_that_dies_unanswered_is_an_error_and_not_repeated() {
    run(async {
        let (address, seen) = serve(|mut socket, _, seen| async move {
            request(&mut socket, &seen).await.unwrap();
        })
        .await;
        let error = post(&client(config()), &target(address), "x")
            .await
            .unwrap_err();
        assert_eq!((error.kind, error.retry_safe), (ErrorKind::Closed, false));
        assert_eq!(seen.requests.borrow().len(), 1);
    });
}

#[test]
fn a_kept_connection_that_dies_within_the_head_is_not_retried() {
    run(async {
        let (address, seen) = serve(|mut socket, _, seen| async move {
            request(&mut socket, &seen).await.unwrap();
            write(
                &mut socket,
                b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na",
            )
            .await;
            request(&mut socket, &seen).await.unwrap();
            write(&mut socket, b"HTTP/1.1 200 OK\r\nconte").await;
        })
        .await;
        let (client, target) = (client(config()), target(address));
        text(post(&client, &target, "x").await.unwrap())
            .await
            .unwrap();
        let error = post(&client, &target, "x").await.unwrap_err();
        assert_eq!((error.kind, error.retry_safe), (ErrorKind::Closed, false));
        assert_eq!(seen.requests.borrow().len(), 2);
    });
}

#[test]
fn bytes_nobody_asked_for_never_answer_the_next_request() {
    run(async {
        let (address, _) = serve(|mut socket, number, seen| async move {
            if number == 0 {
                request(&mut socket, &seen).await.unwrap();
                write(&mut socket, b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged").await;
                request(&mut socket, &seen).await;
            } else {
                answer_json(socket, seen).await;
            }
        })
        .await;
        let (client, target) = (client(config()), target(address));
        assert_eq!(
            text(post(&client, &target, "x").await.unwrap())
                .await
                .unwrap(),
            "a"
        );
        assert_eq!(
            text(post(&client, &target, "x").await.unwrap())
                .await
                .unwrap(),
            r#"{"ok":true}"#
        );
    });
}

#[test]
fn a_server_that_closes_in_the_middle_of_a_body_is_an_error_after_what_it_sent() {
    for (head, rest) in [
        (STREAM_HEAD, chunk(b"data: 1\n\n")),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n".as_slice(),
            b"data: 1\n\n".to_vec(),
        ),
    ] {
        run(async move {
            let rest = Rc::new(rest);
            let (address, _) = serve(move |mut socket, _, seen| {
                let rest = Rc::clone(&rest);
                async move {
                    request(&mut socket, &seen).await.unwrap();
                    write(&mut socket, head).await;
                    write(&mut socket, &rest).await;
                }
            })
            .await;
            let client = client(config());
            let mut body = post(&client, &target(address), "x")
                .await
                .unwrap()
                .into_body();
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), "data: 1\n\n");
            let error = body.frame().await.unwrap().unwrap_err();
            assert_eq!(error.kind, ErrorKind::Closed, "{error:?}");
            assert!(body.frame().await.is_none(), "an error is the end");
            assert_eq!(client.idle_connections(), 0);
        });
    }
}

#[test]
fn each_wait_runs_out_by_itself() {
    run(async {
        let (address, seen) = serve(|mut socket, number, seen| async move {
            request(&mut socket, &seen).await.unwrap();
            if number == 1 {
                // At once: nothing but what comes after is waited for.
                write(&mut socket, &[STREAM_HEAD, &chunk(b"a")].concat()).await;
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
        })
        .await;
        // Short is the wait that is to run out, and no other.
        let short = Duration::from_millis(250);
        let head = client(ClientConfig {
            first_byte_timeout: short,
            ..config()
        });
        let frames = client(ClientConfig {
            idle_timeout: short,
            ..config()
        });
        let started = std::time::Instant::now();
        let error = post(&head, &target(address), "x").await.unwrap_err();
        assert_eq!(
            (error.kind, error.retry_safe),
            (ErrorKind::Timeout(Phase::FirstByte), false)
        );
        let mut body = post(&frames, &target(address), "x")
            .await
            .unwrap()
            .into_body();
        assert_eq!(
            body.frame().await.unwrap().unwrap().into_data().unwrap(),
            "a"
        );
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout(Phase::Idle));
        let took = started.elapsed();
        assert!(
            took >= 2 * short && took < Duration::from_secs(5),
            "{took:?}"
        );
        assert_eq!(seen.connections.get(), 2);
    });
}

#[test]
fn a_slow_stream_outlives_the_idle_timeout_as_long_as_frames_come() {
    run(async {
        let (address, _) = serve(|mut socket, _, seen| async move {
            request(&mut socket, &seen).await.unwrap();
            write(&mut socket, STREAM_HEAD).await;
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(150)).await;
                write(&mut socket, &chunk(b"e")).await;
            }
            write(&mut socket, b"0\r\n\r\n").await;
            request(&mut socket, &seen).await;
        })
        .await;
        let client = client(ClientConfig {
            idle_timeout: Duration::from_secs(1),
            ..config()
        });
        assert_eq!(
            text(post(&client, &target(address), "x").await.unwrap())
                .await
                .unwrap(),
            "eeeeeeeeee"
        );
        assert_eq!(client.idle_connections(), 1);
    });
}

#[test]
fn nobody_listening_and_no_such_name_are_told_apart_and_safe_to_retry() {
    run(async {
        let unused = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let error = post(&client(config()), &target(unused), "x")
            .await
            .unwrap_err();
        assert_eq!((error.kind, error.retry_safe), (ErrorKind::Connect, true));
        let nowhere = std::sync::Arc::new(
            tollgate_upstream::Target::parse("http://no-such-host.invalid").unwrap(),
        );
        // The machine's own resolver is asked, which may try one server after the other.
        let patient = client(ClientConfig {
            connect_timeout: Duration::from_secs(15),
            ..config()
        });
        let error = post(&patient, &nowhere, "x").await.unwrap_err();
        assert_eq!((error.kind, error.retry_safe), (ErrorKind::Dns, true));
    });
}

#[test]
fn a_body_dropped_early_closes_the_connection_at_once() {
    run(async {
        let closed = Rc::new(Cell::new(false));
        let noted = Rc::clone(&closed);
        let (address, _) = serve(move |mut socket, _, seen| {
            let closed = Rc::clone(&noted);
            async move {
                request(&mut socket, &seen).await.unwrap();
                write(&mut socket, STREAM_HEAD).await;
                write(&mut socket, &chunk(b"a")).await;
                let mut byte = [0];
                // End or reset: either way the client has gone.
                assert!(matches!(socket.read(&mut byte).await, Ok(0) | Err(_)));
                closed.set(true);
            }
        })
        .await;
        let client = client(config());
        let mut body = post(&client, &target(address), "x")
            .await
            .unwrap()
            .into_body();
        body.frame().await.unwrap().unwrap();
        assert!(!closed.get());
        drop(body);
        until(|| closed.get()).await;
        assert_eq!(client.idle_connections(), 0);
    });
}

#[test]
fn a_request_given_up_before_its_answer_closes_the_connection() {
    run(async {
        let closed = Rc::new(Cell::new(false));
        let noted = Rc::clone(&closed);
        let (address, _) = serve(move |mut socket, _, seen| {
            let closed = Rc::clone(&noted);
            async move {
                request(&mut socket, &seen).await.unwrap();
                closed.set(matches!(socket.read(&mut [0]).await, Ok(0) | Err(_)));
            }
        })
        .await;
        let client = client(config());
        let waited = tokio::time::timeout(
            Duration::from_millis(50),
            post(&client, &target(address), "x"),
        )
        .await;
        assert!(waited.is_err());
        until(|| closed.get()).await;
        assert_eq!(client.idle_connections(), 0);
    });
}

#[test]
fn connections_that_must_not_be_kept_are_not() {
    run(async {
        let (address, seen) = serve(|mut socket, _, seen| async move {
            request(&mut socket, &seen).await.unwrap();
            write(
                &mut socket,
                b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\na",
            )
            .await;
            request(&mut socket, &seen).await;
        })
        .await;
        let client = client(config());
        assert_eq!(
            text(post(&client, &target(address), "x").await.unwrap())
                .await
                .unwrap(),
            "a"
        );
        assert_eq!((client.idle_connections(), seen.connections.get()), (0, 1));
    });
}

#[test]
fn idle_connections_expire() {
    run(async {
        let (address, seen) = serve(|socket, _, seen| answer_json(socket, seen)).await;
        let client = client(ClientConfig {
            idle_connection_lifetime: Duration::from_millis(500),
            ..config()
        });
        let target = target(address);
        text(post(&client, &target, "x").await.unwrap())
            .await
            .unwrap();
        client.sweep();
        assert_eq!(client.idle_connections(), 1);
        tokio::time::sleep(Duration::from_millis(600)).await;
        text(post(&client, &target, "x").await.unwrap())
            .await
            .unwrap();
        assert_eq!(seen.connections.get(), 2);
        tokio::time::sleep(Duration::from_millis(600)).await;
        client.sweep();
        assert_eq!(client.idle_connections(), 0);
    });
}

#[test]
fn a_response_without_a_body_gives_its_connection_back_at_once() {
    run(async {
        let (address, _) = serve(|mut socket, _, seen| async move {
            while request(&mut socket, &seen).await.is_some() {
                write(&mut socket, b"HTTP/1.1 204 No Content\r\n\r\n").await;
            }
        })
        .await;
        let client = client(config());
        let response = post(&client, &target(address), "x").await.unwrap();
        assert_eq!(
            (response.status().as_u16(), client.idle_connections()),
            (204, 1)
        );
        assert!(response.body().is_end_stream());
    });
}

#[test]
fn a_large_body_travels_both_ways() {
    run(async {
        let (address, _) = serve(|mut socket, _, _| async move {
            let (mut bytes, mut buf) = (Vec::new(), vec![0; 65536]);
            let head = loop {
                let n = socket.read(&mut buf).await.unwrap();
                bytes.extend_from_slice(&buf[..n]);
                if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                    break at + 4;
                }
            };
            while bytes.len() - head < 3_000_000 {
                let n = socket.read(&mut buf).await.unwrap();
                bytes.extend_from_slice(&buf[..n]);
            }
            write(&mut socket, STREAM_HEAD).await;
            for piece in bytes[head..].chunks(1000) {
                write(&mut socket, &chunk(piece)).await;
            }
            write(&mut socket, b"0\r\n\r\n").await;
        })
        .await;
        let sent: Vec<u8> = (0..3_000_000_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let target = target(address);
        let head = RequestHead::new(&target, "/", HeaderMap::new()).unwrap();
        let response = client(config())
            .send(&target, Method::POST, &head, Bytes::from(sent.clone()))
            .await
            .unwrap();
        let body = tollgate_upstream::Coalesce::new(response.into_body());
        assert!(body.collect().await.unwrap().to_bytes() == sent);
    });
}
