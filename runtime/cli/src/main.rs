//! The tollgate command.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

mod api;
mod args;
mod audit;
mod backup;
mod banner;
mod configuration;
mod doctor;
#[cfg(test)]
mod documented;
mod files;
mod fresh;
mod init;
mod logging;
mod manage;
mod money;
mod report;
mod secrets;
mod serve;
mod signing;
mod table;
mod usage;
mod when;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command, Component};

/// The system's allocator gives every worker the same lock; this one does not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Serve(serve) => serve::run(&cli.place, serve),
        Command::Init(init) => init::run(&cli.place, init),
        Command::Doctor => doctor::run(&cli.place),
        Command::Backup { folder } => backup::back_up(&cli.place, folder),
        Command::Restore { folder } => backup::restore(&cli.place, folder),
        Command::Usage(usage) => usage::run(&cli.place, usage),
        Command::Audit(audit) => audit::run(&cli.place, audit),
        Command::Component(Component::Sign { files, key }) => {
            signing::sign(files, key, cli.place.json)
        }
        Command::Component(Component::SigningKey { file }) => signing::key(file, cli.place.json),
        command => manage::run(&cli.place, command),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            // Causes on one line: the last one mostly says what to do.
            eprintln!("tollgate: {error:#}");
            ExitCode::FAILURE
        }
    }
}
