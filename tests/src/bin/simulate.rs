//! Runs the upstream simulator by itself, for trying clients and the gateway by hand: prints each request it gets.
#![forbid(unsafe_code)]

use std::io::Write as _;

use tollgate_tests::simulator::Simulator;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    if std::env::args().len() > 1 {
        writeln!(
            std::io::stderr(),
            "simulate takes no arguments: it prints the base URL of a vendor on a free port, then each request that it gets"
        )?;
        std::process::exit(2);
    }
    let simulator = Simulator::start().await;
    let mut output = std::io::stdout();
    writeln!(output, "{}", simulator.base_url())?;
    for count in 1.. {
        let received = simulator.wait_for_at_leisure(count).await;
        writeln!(
            output,
            "{} {} {:?}\n{}\n",
            received.method,
            received.target,
            received.headers,
            received.text()
        )?;
        output.flush()?;
    }
    Ok(())
}
