//! The `call-ledger` binary.
fn main() {}
