//! Compressed answers, as a vendor compresses a stream: flushed after each event, in chunks that end anywhere.

use async_compression::tokio::write::{
    BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder,
};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::answer::{Answer, Part};

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`.
    Gzip,
    /// `deflate`, as the standard has it: within zlib's frame.
    Zlib,
    /// `deflate`, as some vendors have it: bare.
    BareDeflate,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

impl Coding {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Gzip,
        Self::Zlib,
        Self::BareDeflate,
        Self::Brotli,
        Self::Zstd,
    ];

    /// Its name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zlib | Self::BareDeflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// What is written ends up here, and is taken out part by part.
trait Encoder: AsyncWrite + Unpin {
    fn written(&mut self) -> &mut Vec<u8>;
}

macro_rules! encoders {
    ($($name:ident)*) => {$(
        impl Encoder for $name<Vec<u8>> {
            fn written(&mut self) -> &mut Vec<u8> {
                self.get_mut()
            }
        }
    )*};
}

encoders! { BrotliEncoder DeflateEncoder GzipEncoder ZlibEncoder ZstdEncoder }

impl Answer {
    /// The body compressed, and said so. Each part can be read once it has come, though its chunks end anywhere.
    ///
    /// # Panics
    /// Never: it is compressed in memory.
    pub async fn compressed(mut self, coding: Coding) -> Self {
        let mut encoder: Box<dyn Encoder> = match coding {
            Coding::Gzip => Box::new(GzipEncoder::new(Vec::new())),
            Coding::Zlib => Box::new(ZlibEncoder::new(Vec::new())),
            Coding::BareDeflate => Box::new(DeflateEncoder::new(Vec::new())),
            Coding::Brotli => Box::new(BrotliEncoder::new(Vec::new())),
            Coding::Zstd => Box::new(ZstdEncoder::new(Vec::new())),
        };
        let mut odd = [1, 2, 3, 5, 8, 13, 21].into_iter().cycle();
        let mut parts = Vec::new();
        for part in std::mem::take(&mut self.parts) {
            let Part::Bytes(bytes) = part else {
                parts.push(part);
                continue;
            };
            encoder.write_all(&bytes).await.unwrap();
            encoder.flush().await.unwrap();
            parts.extend(chunks(encoder.written(), &mut odd));
        }
        encoder.shutdown().await.unwrap();
        parts.extend(chunks(encoder.written(), &mut odd));
        self.parts = parts;
        self.header("content-encoding", coding.name())
    }
}

/// Takes out what there is, in chunks of these sizes.
fn chunks(written: &mut Vec<u8>, sizes: &mut impl Iterator<Item = usize>) -> Vec<Part> {
    let mut chunks = Vec::new();
    while !written.is_empty() {
        let size = sizes.next().unwrap_or(1).min(written.len());
        chunks.push(Part::Bytes(written.drain(..size).collect()));
    }
    chunks
}
