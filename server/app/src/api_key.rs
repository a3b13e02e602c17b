//! Text of API keys: it names the tenant.

use ledger_core::ids::TenantId;
use uuid::Uuid;

use crate::system::fresh_secret;

/// Prefix of every API key, so that secret scanners can find a leaked one.
const PREFIX: &str = "clg_";

/// Generates an API key. The key names its tenant, so that it can be looked up under the tenant's own
/// row-level security.
#[must_use]
pub fn new_key(tenant_id: TenantId) -> String {
    key_of(tenant_id, &fresh_secret())
}

/// The API key of a tenant with this secret.
#[must_use]
pub fn key_of(tenant_id: TenantId, secret: &str) -> String {
    format!("{PREFIX}{}_{secret}", tenant_id.0.simple())
}

/// The tenant named in an API key; `None` if the text does not have the form of one.
#[must_use]
pub fn tenant_of_key(key: &str) -> Option<TenantId> {
    let (tenant, secret) = key.strip_prefix(PREFIX)?.split_once('_')?;
    let is_ours = secret.len() == 43 && tenant.len() == 32;
    is_ours.then(|| Uuid::try_parse(tenant).ok().map(TenantId)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_tenant_and_nothing_else_is_a_key() {
        let tenant_id = TenantId(Uuid::from_u128(7));
        let key = new_key(tenant_id);
        assert_eq!(tenant_of_key(&key), Some(tenant_id));
        for other in ["", "clg_", "clg_x_y", &key[1..], &key[..key.len() - 1]] {
            assert_eq!(tenant_of_key(other), None, "{other}");
        }
    }
}
