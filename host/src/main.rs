//! The `sluice` binary. All of it is in the library; only this file ends the process.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice::cli::main(std::env::args_os())
}
