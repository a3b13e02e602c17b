//! API keys: issued, listed, revoked. A key of scope `admin` issues keys of its own tenant with
//! scopes that it has itself, and revokes any key there, itself and the last one too: a key that leaked must be revocable at
//! once, and the command line can always issue another.

pub mod create;
pub mod list;
pub mod revoke;
