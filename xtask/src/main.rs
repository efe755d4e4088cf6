//! Build, run, test, bench: `cargo xtask <command>`.

use std::process::ExitCode;

use anyhow::{Result, bail};

mod bench;
mod components;
mod guest_toolchain;
mod surface;
mod tools;

const USAGE: &str = "\
cargo xtask <command>

  run [-- ARGS]    build components and host, start on 127.0.0.1:8080; ARGS go to `tollgate serve`
  test [FILTER]    format, lints, contract, components, every test
  bench [ARGS]     measure the gateway against nginx and a direct connection
  components       build guest-providers/* and guest-policies/* into target/components
  wit [--write]    check the contract, its frozen versions and docs/wit.md; --write renews the page
  package          build what is shipped into target/package
  fmt-check        formatting alone
  doctor           say what this machine has and lacks";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", args),
    };
    match command {
        "bench" => bench::run(rest),
        "components" => components::run(),
        "help" | "-h" | "--help" => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("`{other}` is not a command\n\n{USAGE}"),
    }
}
