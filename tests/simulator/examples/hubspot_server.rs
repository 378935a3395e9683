//! Serves the simulated HubSpot until its standard input ends, and writes the truth beside it.
//!
//! `cargo run -p sluice-simulator --example hubspot_server -- CONTACTS [TRUTH_DIR]`
//!
//! Prints `READY` and the address once it listens. The rate limits are out of the way.

use std::io::{self, Write};

use sluice_simulator::{data, hubspot, truth};

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let contacts = match arguments.next() {
        Some(text) => text.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?,
        None => data::Options::default().contacts,
    };
    let data = data::Options { contacts, ..data::Options::default() };
    if let Some(dir) = arguments.next() {
        truth::write(dir, &data)?;
    }
    let options = hubspot::Options {
        data,
        requests_per_10s: u32::MAX,
        searches_per_second: u32::MAX,
        ..hubspot::Options::default()
    };
    let running = hubspot::start(options, None).await?;
    writeln!(io::stdout(), "READY {}", running.base_url())?;
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    running.shutdown().await;
    Ok(())
}
