//! WASI preview 2 that holds nothing, for guests whose toolchain cannot do without.
//!
//! No files, no network, no environment, no arguments; stdout and stderr go to the log. Clocks and randomness work.
//! Nothing here may wait: a guest's call is synchronous on a worker of the gateway, so what is not ready at once traps.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::sync::io::{poll, streams};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random, sync};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, OutputStream, Pollable, StreamError, StreamResult,
};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::runtime::with_ambient_tokio_runtime;
use wasmtime_wasi::{WasiCtx, WasiView};
use wasmtime_wasi_io::bindings::wasi::io as io_async;

use crate::limits::{LOG_LINE_BYTES, LOG_LINES_A_CALL};
use crate::state::{State, write_log};

/// A context with nothing in it. `printed` counts the lines of stdout and stderr; beyond the limit of a call they are
/// dropped.
pub(crate) fn empty_context(component: &Arc<str>, printed: &Arc<AtomicU32>) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(LogStream::new(component, "info", printed))
        .stderr(LogStream::new(component, "warn", printed))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    builder.build()
}

/// Defines `wasi:cli`, `clocks`, `filesystem`, `io` and `random`. Of `wasi:sockets` there is nothing here: where a component
/// imports it, each of its functions becomes a stub that traps when that component is linked (`engine.rs`).
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    io_async::error::add_to_linker::<State, Io>(linker, |state| state.ctx().table)?;
    poll::add_to_linker::<State, NoWaitIo>(linker, no_wait)?;
    streams::add_to_linker::<State, NoWaitIo>(linker, no_wait)?;
    clocks::wall_clock::add_to_linker::<State, WasiClocks>(linker, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<State, WasiClocks>(linker, State::clocks)?;
    filesystem::preopens::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    // Every function takes a descriptor, and without preopens there is none.
    sync::filesystem::types::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    random::random::add_to_linker::<State, WasiRandom>(linker, |state| state.ctx().ctx.random())?;
    random::insecure::add_to_linker::<State, WasiRandom>(linker, |state| state.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(linker, |state| {
        state.ctx().ctx.random()
    })?;
    cli::exit::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::environment::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(linker, State::cli)
}

struct Io;

impl HasData for Io {
    type Data<'a> = &'a mut ResourceTable;
}

struct NoWaitIo;

impl HasData for NoWaitIo {
    type Data<'a> = NoWait<'a>;
}

fn no_wait(state: &mut State) -> NoWait<'_> {
    NoWait(state.ctx().table)
}

/// Streams and pollables that answer now or not at all.
struct NoWait<'a>(&'a mut ResourceTable);

/// Polls once. `None`: it would have waited.
fn now<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    with_ambient_tokio_runtime(|| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

fn waited() -> wasmtime::Error {
    wasmtime::format_err!(
        "a component may not wait: it is called synchronously and must answer at once"
    )
}

fn stream_now<T>(future: impl Future<Output = StreamResult<T>>) -> StreamResult<T> {
    now(future).unwrap_or_else(|| Err(StreamError::Trap(waited())))
}

impl poll::Host for NoWait<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        now(io_async::poll::Host::poll(self.0, pollables)).unwrap_or_else(|| Err(waited()))
    }
}

impl poll::HostPollable for NoWait<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        now(io_async::poll::HostPollable::ready(self.0, pollable)).unwrap_or(Ok(false))
    }
    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        now(io_async::poll::HostPollable::block(self.0, pollable)).unwrap_or_else(|| Err(waited()))
    }
    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        io_async::poll::HostPollable::drop(self.0, pollable)
    }
}

impl streams::Host for NoWait<'_> {
    fn convert_stream_error(
        &mut self,
        error: StreamError,
    ) -> wasmtime::Result<streams::StreamError> {
        Ok(io_async::streams::Host::convert_stream_error(self.0, error)?.into())
    }
}

impl streams::HostInputStream for NoWait<'_> {
    fn read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        io_async::streams::HostInputStream::read(self.0, stream, len)
    }
    fn blocking_read(
        &mut self,
        stream: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<Vec<u8>> {
        stream_now(io_async::streams::HostInputStream::blocking_read(
            self.0, stream, len,
        ))
    }
    fn skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        io_async::streams::HostInputStream::skip(self.0, stream, len)
    }
    fn blocking_skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        stream_now(io_async::streams::HostInputStream::blocking_skip(
            self.0, stream, len,
        ))
    }
    fn subscribe(
        &mut self,
        stream: Resource<DynInputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        io_async::streams::HostInputStream::subscribe(self.0, stream)
    }
    fn drop(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<()> {
        now(io_async::streams::HostInputStream::drop(self.0, stream))
            .unwrap_or_else(|| Err(waited()))
    }
}

impl streams::HostOutputStream for NoWait<'_> {
    fn check_write(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        io_async::streams::HostOutputStream::check_write(self.0, stream)
    }
    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        io_async::streams::HostOutputStream::write(self.0, stream, bytes)
    }
    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        stream_now(
            io_async::streams::HostOutputStream::blocking_write_and_flush(self.0, stream, bytes),
        )
    }
    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        io_async::streams::HostOutputStream::flush(self.0, stream)
    }
    fn blocking_flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        stream_now(io_async::streams::HostOutputStream::blocking_flush(
            self.0, stream,
        ))
    }
    fn subscribe(
        &mut self,
        stream: Resource<DynOutputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        io_async::streams::HostOutputStream::subscribe(self.0, stream)
    }
    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, len: u64) -> StreamResult<()> {
        io_async::streams::HostOutputStream::write_zeroes(self.0, stream, len)
    }
    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        len: u64,
    ) -> StreamResult<()> {
        stream_now(
            io_async::streams::HostOutputStream::blocking_write_zeroes_and_flush(
                self.0, stream, len,
            ),
        )
    }
    fn splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        io_async::streams::HostOutputStream::splice(self.0, to, from, len)
    }
    fn blocking_splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        stream_now(io_async::streams::HostOutputStream::blocking_splice(
            self.0, to, from, len,
        ))
    }
    fn drop(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<()> {
        now(io_async::streams::HostOutputStream::drop(self.0, stream))
            .unwrap_or_else(|| Err(waited()))
    }
}

/// A guest's stdout or stderr: whole lines go to the log.
struct LogStream {
    component: Arc<str>,
    level: &'static str,
    line: Vec<u8>,
    /// Counted over all that the guest opens: each call of `get-stdout` gives it another.
    printed: Arc<AtomicU32>,
}

impl LogStream {
    fn new(component: &Arc<str>, level: &'static str, printed: &Arc<AtomicU32>) -> Self {
        Self {
            component: Arc::clone(component),
            level,
            line: Vec::new(),
            printed: Arc::clone(printed),
        }
    }

    /// Another handle to the same output.
    fn another(&self) -> Self {
        Self::new(&self.component, self.level, &self.printed)
    }

    fn has_a_line_left(&self) -> bool {
        self.printed.fetch_add(1, Ordering::Relaxed) < LOG_LINES_A_CALL
    }

    fn put(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' || self.line.len() >= LOG_LINE_BYTES {
                self.end_line();
            }
            if byte != b'\n' {
                self.line.push(byte);
            }
        }
    }

    fn end_line(&mut self) {
        if !self.line.is_empty() && self.has_a_line_left() {
            write_log(
                &self.component,
                self.level,
                &String::from_utf8_lossy(&self.line),
            );
        }
        self.line.clear();
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Preview 3 only, which is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.another())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes);
        Ok(())
    }
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

impl Drop for LogStream {
    fn drop(&mut self) {
        self.end_line();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_opens_its_output_again_and_again_gets_no_more_lines() {
        let first = LogStream::new(&Arc::from("talker"), "info", &Arc::default());
        let again: Vec<_> = (0..3).map(|_| first.another()).collect();
        let streams = again.iter().chain([&first]).cycle();
        let written = streams
            .take(2 * LOG_LINES_A_CALL as usize)
            .filter(|s| s.has_a_line_left());
        assert_eq!(written.count(), LOG_LINES_A_CALL as usize);
    }
}
