//! Torture of the whole ledger; see [`ledger_tests::torture`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ledger_tests::torture::main()
}
