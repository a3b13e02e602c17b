//! The `call-ledger` binary.

use std::process::ExitCode;

use server::cli;

fn main() -> ExitCode {
    cli::main()
}
