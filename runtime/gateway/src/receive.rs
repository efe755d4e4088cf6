//! Reads a request body: bounded in size and time, unpacked if the client packed it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tollgate_dialect::{ApiError, ErrorKind};

/// Where a body comes from.
pub(crate) enum Source {
    /// It follows a request's head.
    Http(Incoming),
    /// It came whole, in a message.
    Message(Bytes),
}

/// Reads the whole body.
pub(crate) async fn body(
    headers: &HeaderMap,
    source: Source,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, ApiError> {
    let incoming = match source {
        Source::Http(incoming) => incoming,
        // The message was bounded as it came; what it goes on from is in it now.
        Source::Message(body) if body.len() > limit => return Err(too_large(limit)),
        Source::Message(body) => return Ok(body),
    };
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let packed = match tokio::time::timeout(patience, collect(incoming, limit)).await {
        Ok(collected) => collected?,
        Err(_) => {
            return Err(ApiError::new(
                ErrorKind::RequestTimeout,
                "the request body did not arrive in time",
            ));
        }
    };
    match headers
        .get(CONTENT_ENCODING)
        .map(|encoding| encoding.as_bytes().to_ascii_lowercase())
    {
        None => Ok(packed),
        Some(encoding) if encoding == b"identity" || encoding.is_empty() => Ok(packed),
        // Rare: its state is no part of that of every request.
        Some(encoding) => Box::pin(unpack(&encoding, packed, limit)).await,
    }
}

async fn collect(mut incoming: Incoming, limit: usize) -> Result<Bytes, ApiError> {
    let Some(first) = frame(&mut incoming).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit {
        return Err(too_large(limit));
    }
    // Most bodies arrive in one frame: no copy then.
    if incoming.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(next) = frame(&mut incoming).await? {
        if whole.len() + next.len() > limit {
            return Err(too_large(limit));
        }
        whole.extend_from_slice(&next);
    }
    Ok(whole.freeze())
}

async fn frame(incoming: &mut Incoming) -> Result<Option<Bytes>, ApiError> {
    loop {
        match incoming.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                // Trailers carry nothing that a model request needs.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Some(Err(_)) => {
                return Err(ApiError::new(
                    ErrorKind::InvalidRequest,
                    "the request body ended early",
                ));
            }
        }
    }
}

async fn unpack(encoding: &[u8], packed: Bytes, limit: usize) -> Result<Bytes, ApiError> {
    use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
    use tokio::io::AsyncReadExt;

    // One byte more than allowed is read, so that a bomb stops there.
    let most = limit as u64 + 1;
    let mut plain = Vec::new();
    let outcome = match encoding {
        b"gzip" | b"x-gzip" => {
            let mut decoder = GzipDecoder::new(&packed[..]);
            // One file may be several put together (RFC 1952); only the first would be read.
            decoder.multiple_members(true);
            decoder.take(most).read_to_end(&mut plain).await
        }
        b"deflate" => {
            ZlibDecoder::new(&packed[..])
                .take(most)
                .read_to_end(&mut plain)
                .await
        }
        b"br" => {
            BrotliDecoder::new(&packed[..])
                .take(most)
                .read_to_end(&mut plain)
                .await
        }
        b"zstd" => {
            let mut decoder = ZstdDecoder::new(&packed[..]);
            decoder.multiple_members(true);
            decoder.take(most).read_to_end(&mut plain).await
        }
        _ => {
            return Err(ApiError::new(
                ErrorKind::InvalidRequest,
                "content-encoding must be gzip, deflate, br, zstd or identity",
            ));
        }
    };
    match outcome {
        Err(_) => Err(ApiError::new(
            ErrorKind::InvalidRequest,
            "the request body is not what its content-encoding says",
        )),
        Ok(_) if plain.len() > limit => Err(too_large(limit)),
        Ok(_) => Ok(plain.into()),
    }
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        ErrorKind::BodyTooLarge,
        format!("the request body is larger than the {limit} bytes allowed here"),
    )
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_body_packed_in_several_pieces_is_read_whole() {
        let (mut gzip, mut zstd) = (Vec::new(), Vec::new());
        for piece in [&b"{\"model\""[..], b":\"m\"}"] {
            GzipEncoder::new(piece)
                .read_to_end(&mut gzip)
                .await
                .unwrap();
            ZstdEncoder::new(piece)
                .read_to_end(&mut zstd)
                .await
                .unwrap();
        }
        for (encoding, packed) in [("gzip", gzip), ("zstd", zstd)] {
            let plain = unpack(encoding.as_bytes(), packed.into(), 100)
                .await
                .unwrap();
            assert_eq!(plain, &b"{\"model\":\"m\"}"[..], "{encoding}");
        }
    }
}
