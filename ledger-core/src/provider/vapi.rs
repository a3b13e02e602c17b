//! Vapi.

use super::{Adapter, Proof, Refused, Translation, Unproven};

/// The adapter.
pub struct Vapi;

impl Adapter for Vapi {
    fn verify(&self, _: &str, _: &Proof<'_>) -> Result<(), Unproven> {
        Err(Unproven::Missing)
    }

    fn translate(&self, _: &[u8], _: Option<&str>) -> Result<Translation, Refused> {
        Err(Refused::WrongShape("being laid out"))
    }
}
