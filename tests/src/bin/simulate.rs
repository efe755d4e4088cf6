//! Runs the upstream simulator by itself, for trying clients and the gateway by hand: prints each request it gets.
#![forbid(unsafe_code)]

use std::io::Write as _;

use tollgate_tests::simulator::Simulator;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
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
