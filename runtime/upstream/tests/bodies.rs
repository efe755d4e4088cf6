//! What happens to a body on its way: decoding and merging.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]
mod common;

use std::rc::Rc;

use async_compression::tokio::write::{
    BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder,
};
use common::*;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tollgate_upstream::{Coalesce, ErrorKind};

const EVENTS: [&str; 3] = [
    "data: {\"a\":1}\n\n",
    "data: {\"b\":\"ü\"}\n\n",
    "data: [DONE]\n\n",
];

/// Compresses the events, flushed after each as a streaming server does; the pieces and the name.
async fn compressed(kind: &str) -> (Vec<Vec<u8>>, &'static str) {
    macro_rules! with {
        ($encoder:expr, $name:expr) => {{
            let mut encoder = $encoder;
            let (mut pieces, mut at) = (Vec::new(), 0);
            for event in EVENTS {
                encoder.write_all(event.as_bytes()).await.unwrap();
                encoder.flush().await.unwrap();
                pieces.push(encoder.get_ref()[at..].to_vec());
                at = encoder.get_ref().len();
            }
            encoder.shutdown().await.unwrap();
            pieces.push(encoder.into_inner()[at..].to_vec());
            (pieces, $name)
        }};
    }
    match kind {
        "gzip" => with!(GzipEncoder::new(Vec::new()), "gzip"),
        "zlib" => with!(ZlibEncoder::new(Vec::new()), "deflate"),
        "raw" => with!(DeflateEncoder::new(Vec::new()), "deflate"),
        "br" => with!(BrotliEncoder::new(Vec::new()), "br"),
        _ => with!(ZstdEncoder::new(Vec::new()), "zstd"),
    }
}

fn head(encoding: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: {encoding}\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes()
}

#[test]
fn a_compressed_stream_split_anywhere_is_decoded() {
    for kind in ["gzip", "zlib", "raw", "br", "zstd"] {
        run(async move {
            let (pieces, name) = compressed(kind).await;
            let all = Rc::new(pieces.concat());
            let length = all.len();
            // Connection n cuts the body after n bytes; the last sends it byte by byte.
            let (address, _) = serve(move |mut socket, _, seen| {
                let all = Rc::clone(&all);
                async move {
                    let mut cut = 1;
                    while request(&mut socket, &seen).await.is_some() {
                        write(&mut socket, &head(name)).await;
                        if cut < all.len() {
                            write(&mut socket, &chunk(&all[..cut])).await;
                            tokio::task::yield_now().await;
                            write(&mut socket, &chunk(&all[cut..])).await;
                        } else {
                            for byte in all.iter() {
                                write(&mut socket, &chunk(&[*byte])).await;
                            }
                        }
                        write(&mut socket, b"0\r\n\r\n").await;
                        cut += 1;
                    }
                }
            })
            .await;
            let (client, target) = (client(config()), target(address));
            for cut in 1..=length {
                let response = post(&client, &target, "x").await.unwrap();
                assert!(response.headers().get("content-encoding").is_none());
                assert_eq!(
                    text(response).await.unwrap(),
                    EVENTS.concat(),
                    "{kind} cut at {cut}"
                );
            }
        });
    }
}

#[test]
fn a_compressed_event_leaves_as_soon_as_it_can_be_decoded() {
    for kind in ["gzip", "zlib", "br", "zstd"] {
        run(async move {
            let (pieces, name) = compressed(kind).await;
            let (pieces, got) = (Rc::new(pieces), Rc::new(Notify::new()));
            let noted = Rc::clone(&got);
            let (address, _) = serve(move |mut socket, _, seen| {
                let (pieces, got) = (Rc::clone(&pieces), Rc::clone(&noted));
                async move {
                    request(&mut socket, &seen).await.unwrap();
                    write(&mut socket, &head(name)).await;
                    for piece in pieces.iter() {
                        write(&mut socket, &chunk(piece)).await;
                        // The next is not sent before this one has come through.
                        got.notified().await;
                    }
                    write(&mut socket, b"0\r\n\r\n").await;
                    request(&mut socket, &seen).await;
                }
            })
            .await;
            let client = client(config());
            let mut body = post(&client, &target(address), "x")
                .await
                .unwrap()
                .into_body();
            for event in EVENTS {
                let mut came = String::new();
                while came.len() < event.len() {
                    let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
                    came.push_str(std::str::from_utf8(&data).unwrap());
                }
                assert_eq!(came, event, "{kind}");
                got.notify_one();
            }
            got.notify_one();
            assert!(body.frame().await.is_none());
        });
    }
}

#[test]
fn a_decoded_json_answer_loses_its_old_length_and_keeps_its_connection() {
    run(async {
        let mut encoder = GzipEncoder::new(Vec::new());
        encoder.write_all(b"{\"ok\":true}").await.unwrap();
        encoder.shutdown().await.unwrap();
        let zipped = Rc::new(encoder.into_inner());
        let (address, seen) = serve(move |mut socket, _, seen| {
            let zipped = Rc::clone(&zipped);
            async move {
                while request(&mut socket, &seen).await.is_some() {
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
                        zipped.len()
                    );
                    write(&mut socket, &[head.as_bytes(), &zipped].concat()).await;
                }
            }
        })
        .await;
        let (client, target) = (client(config()), target(address));
        for _ in 0..3 {
            let response = post(&client, &target, "x").await.unwrap();
            assert!(response.headers().get("content-length").is_none());
            assert_eq!(response.body().size_hint().exact(), None);
            assert_eq!(text(response).await.unwrap(), "{\"ok\":true}");
        }
        assert_eq!(seen.connections.get(), 1);
    });
}

#[test]
fn what_cannot_be_decoded_is_an_error_never_garbage() {
    for (encoding, body) in [
        ("gzip", "this is not gzip at all"),
        ("br", "\u{1}\u{2}nonsense"),
        ("zstd", "nonsense"),
        ("deflate", "nonsense"),
    ] {
        run(async move {
            let (address, _) = serve(move |mut socket, _, seen| async move {
                request(&mut socket, &seen).await.unwrap();
                write(&mut socket, &head(encoding)).await;
                write(&mut socket, &chunk(body.as_bytes())).await;
                write(&mut socket, b"0\r\n\r\n").await;
            })
            .await;
            let error = text(
                post(&client(config()), &target(address), "x")
                    .await
                    .unwrap(),
            )
            .await
            .unwrap_err();
            assert_eq!(error.kind, ErrorKind::Decode, "{encoding}: {error}");
        });
    }
    run(async {
        let (address, _) = serve(|mut socket, _, seen| async move {
            request(&mut socket, &seen).await.unwrap();
            write(&mut socket, &head("gzip, br")).await;
            write(&mut socket, b"1\r\na\r\n0\r\n\r\n").await;
        })
        .await;
        let error = post(&client(config()), &target(address), "x")
            .await
            .unwrap_err();
        assert_eq!((error.kind, error.retry_safe), (ErrorKind::Decode, false));
    });
}

#[test]
fn a_compressed_stream_cut_before_its_first_byte_is_an_error() {
    run(async {
        let (address, _) = serve(|mut socket, _, seen| async move {
            request(&mut socket, &seen).await.unwrap();
            write(&mut socket, &head("gzip")).await;
        })
        .await;
        let response = post(&client(config()), &target(address), "x")
            .await
            .unwrap();
        assert_eq!(text(response).await.unwrap_err().kind, ErrorKind::Closed);
    });
}

#[test]
fn a_compressed_stream_that_is_cut_is_an_error() {
    // Both cuts: within HTTP (no last chunk) and within gzip (HTTP complete, the stream is not).
    for ending in [b"".as_slice(), b"0\r\n\r\n"] {
        run(async move {
            let (pieces, name) = compressed("gzip").await;
            let first = Rc::new(pieces[0].clone());
            let (address, _) = serve(move |mut socket, _, seen| {
                let first = Rc::clone(&first);
                async move {
                    request(&mut socket, &seen).await.unwrap();
                    write(&mut socket, &head(name)).await;
                    write(&mut socket, &chunk(&first)).await;
                    write(&mut socket, ending).await;
                }
            })
            .await;
            let mut body = post(&client(config()), &target(address), "x")
                .await
                .unwrap()
                .into_body();
            assert_eq!(
                body.frame().await.unwrap().unwrap().into_data().unwrap(),
                EVENTS[0]
            );
            let error = body.frame().await.unwrap().unwrap_err();
            let expected = if ending.is_empty() {
                ErrorKind::Closed
            } else {
                ErrorKind::Decode
            };
            assert_eq!(error.kind, expected, "{error}");
        });
    }
}

fn burst(events: usize) -> (Vec<u8>, String) {
    let event = |i: usize| format!("data: {{\"n\":{i},\"text\":\"{}\"}}\n\n", "x".repeat(240));
    let wire: Vec<u8> = (0..events)
        .flat_map(|i| chunk(event(i).as_bytes()))
        .collect();
    (wire, (0..events).map(event).collect())
}

#[test]
fn a_burst_of_24_events_leaves_as_few_frames() {
    run(async {
        let (wire, whole) = burst(24);
        let wire = Rc::new(wire);
        let (address, _) = serve(move |mut socket, _, seen| {
            let wire = Rc::clone(&wire);
            async move {
                while request(&mut socket, &seen).await.is_some() {
                    write(&mut socket, &[STREAM_HEAD, &wire, b"0\r\n\r\n"].concat()).await;
                }
            }
        })
        .await;
        let (client, target) = (client(config()), target(address));
        for _ in 0..5 {
            let mut body = Coalesce::new(post(&client, &target, "x").await.unwrap().into_body());
            let (mut frames, mut got) = (0, Vec::new());
            while let Some(frame) = body.frame().await {
                got.extend_from_slice(&frame.unwrap().into_data().unwrap());
                frames += 1;
            }
            assert_eq!(String::from_utf8(got).unwrap(), whole);
            assert!(frames <= 2, "{frames} frames");
        }
        assert_eq!(client.idle_connections(), 1);
    });
}

#[test]
fn an_event_that_stands_alone_is_not_held_back() {
    run(async {
        let got = Rc::new(Notify::new());
        let noted = Rc::clone(&got);
        let (address, _) = serve(move |mut socket, _, seen| {
            let got = Rc::clone(&noted);
            async move {
                request(&mut socket, &seen).await.unwrap();
                write(&mut socket, STREAM_HEAD).await;
                for _ in 0..20 {
                    write(&mut socket, &chunk(b"data: 1\n\n")).await;
                    // The next is not sent before this one has come through.
                    got.notified().await;
                }
                write(&mut socket, b"0\r\n\r\n").await;
                request(&mut socket, &seen).await;
            }
        })
        .await;
        let client = client(config());
        let mut body = Coalesce::new(
            post(&client, &target(address), "x")
                .await
                .unwrap()
                .into_body(),
        );
        for _ in 0..20 {
            assert_eq!(
                body.frame().await.unwrap().unwrap().into_data().unwrap(),
                "data: 1\n\n"
            );
            got.notify_one();
        }
        assert!(body.frame().await.is_none());
    });
}
