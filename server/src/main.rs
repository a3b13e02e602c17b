//! Entry point of the `call-ledger` binary; the command line is in the library.

use std::process::ExitCode;

use server::cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
