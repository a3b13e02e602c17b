//! The call at a telephone carrier.

use serde::{Deserialize, Serialize};

/// The call at its telephone carrier, which is a provider of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CarrierCall {
    /// Stored name of the carrier.
    pub provider: String,
    /// Id of the call at the carrier.
    pub call_id: String,
}
