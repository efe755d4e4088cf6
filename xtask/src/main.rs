//! Build, run, test, bench: `cargo xtask <command>`.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

use std::process::ExitCode;

use anyhow::{Result, bail};

mod bench;
mod components;
mod contract;
mod debian;
mod doctor;
mod first_start;
mod fuzz;
mod guards;
mod guest_toolchain;
mod languages;
mod needs;
mod package;
mod run;
mod surface;
mod test;
mod tools;
#[cfg(test)]
mod traps;
mod unsafety;
mod vendors;
mod wit;
mod wit_docs;

const USAGE: &str = "\
cargo xtask <command>

  run [-- ARGS]    build components and host, start on 127.0.0.1:8080; ARGS go to `tollgate serve`
  test [--skip STEP]... [ARGS]
                   install what is missing, then every check and every test, with a summary; with ARGS only the tests,
                   and ARGS go to `cargo nextest run`; `test --steps` lists the steps
  bench [ARGS]     measure the gateway against nginx and a direct connection
  components       build guest-providers/* and guest-policies/* into target/components
  component DIR    build one guest, wherever it lies: cargo xtask component DIR [OUT.wasm]
  wit [--write]    check the contract, its frozen versions and docs/wit.md; --write renews the page
  fuzz [--seconds N] [TARGET [INPUT...]]
                   fuzz every target of fuzz/ or one, a minute each unless N says otherwise; with INPUT run only that
  vendors          check that runtime/ names no vendor
  package          build what is shipped into target/package
  guards [CRATE…]  break each rule of the tables guards.toml, and see its test fail
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
        "component" => components::build_one(rest),
        "components" => components::run(),
        "doctor" => doctor::run(),
        "fuzz" => fuzz::run(rest),
        "fmt-check" => test::format_check(),
        first_start::INSIDE => first_start::inside(),
        "guards" => guards::run(rest),
        "package" => package::run(),
        "run" => run::run(rest),
        "test" => test::run(rest),
        "vendors" => vendors::check(),
        "wit" => wit::run(rest),
        "help" | "-h" | "--help" => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("`{other}` is not a command\n\n{USAGE}"),
    }
}
