//! Binary of the fault-injection test; the code is in [`ledger_tests::torture`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ledger_tests::torture::main()
}
