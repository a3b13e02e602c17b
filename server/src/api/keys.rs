//! API keys: issue, list, revoke.
//!
//! A key of scope `admin` issues keys of its own tenant with scopes that it has itself. It can revoke any key
//! of the tenant, including itself and the last one, since a leaked key must be revocable at once, and the
//! command line can always issue another.

pub mod create;
pub mod list;
pub mod revoke;
