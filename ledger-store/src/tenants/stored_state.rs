//! The stored word of a tenant's state.

use ledger_core::tenant::TenantState;

use crate::error::StoreError;

/// Parses the stored word of a state.
pub(crate) fn stored_state(word: &str) -> Result<TenantState, StoreError> {
    let corrupt = StoreError::Corrupt { table: "ledger.tenants", column: "state" };
    TenantState::parse(word).ok_or(corrupt)
}
