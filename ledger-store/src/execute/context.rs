//! The context of a command, and the bounds of its decision.

use ledger_core::ids::TenantId;

use crate::admin_events::Attribution;
use crate::vault::Subject;

/// Maximum number of events of one decision.
pub(super) const MAX_EVENTS: usize = 64;

/// The tenant, the actor and the identity of a command.
#[derive(Debug, Clone)]
pub struct CommandContext {
    /// The tenant of the streams.
    pub tenant_id: TenantId,
    /// The actor. Its command id identifies the command; without one the command cannot be
    /// repeated.
    pub by: Attribution,
    /// Keyed digest of the command's content. The same id with another digest is another command
    /// and is refused; without a digest the content is not compared.
    pub content: Option<[u8; 32]>,
    /// The subject whose key seals the sections of the events; its key is durable. `None` for a
    /// command without personal data.
    pub subject: Option<Subject>,
}

/// A decision that does not fit its streams or its subject.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault;
