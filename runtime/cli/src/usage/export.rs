//! Rows for other programs, from the gateway to a file or pipe without a stop on the way.

use std::io::{ErrorKind, Read, Write};

use anyhow::{Context as _, bail};
use clap::ValueEnum as _;

use super::query;
use crate::api::Api;
use crate::args::Export;
use crate::fresh;

/// Bytes that are passed on at a time.
const CHUNK: usize = 64 << 10;

pub(super) fn run(api: Api, wanted: &Export) -> anyhow::Result<()> {
    let format = wanted.format.to_possible_value();
    let format = format.as_ref().map_or("", |format| format.get_name());
    let path = query("/api/usage/export", &wanted.filter, &[("format", format)]);
    let mut rows = api.without_hurry().stream(&path)?;
    let Some(file) = &wanted.output else {
        return pass(&mut rows, &mut std::io::stdout().lock());
    };
    let what = || format!("the export to {}", file.display());
    // Who used what is nobody else's business; and a file that is there is not replaced.
    let mut out = fresh::create(file, 0o600).with_context(what)?;
    pass(&mut rows, &mut out).with_context(what)?;
    out.sync_all().with_context(what)
}

/// Passes everything on. What breaks off is an error: nobody must take it for the whole. A closed pipe ends quietly.
fn pass(from: &mut dyn Read, to: &mut dyn Write) -> anyhow::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => bail!("the answer broke off, what was written is not the whole: {error}"),
        };
        match to.write_all(&buffer[..read]) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    match to.flush() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives some bytes and then fails.
    struct Breaking(usize);

    impl Read for Breaking {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let given = self.0.min(buffer.len());
            self.0 -= given;
            match given {
                0 => Err(ErrorKind::UnexpectedEof.into()),
                given => Ok(given),
            }
        }
    }

    #[test]
    fn what_breaks_off_is_an_error_and_the_rest_is_passed_on() {
        let mut out = Vec::new();
        let error = pass(&mut Breaking(100_000), &mut out).unwrap_err();
        assert!(error.to_string().contains("not the whole"), "{error}");
        assert_eq!(out.len(), 100_000);
        let mut whole = Vec::new();
        pass(&mut &vec![7; 200_000][..], &mut whole).unwrap();
        assert_eq!(whole.len(), 200_000);
    }
}
