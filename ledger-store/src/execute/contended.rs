//! The streams that other processes write to.

use ledger_core::ids::{StreamId, TenantId};
use moka::sync::Cache;

use super::turn::Member;
use crate::caches;

/// The streams of recent conflicts.
pub(super) struct Contended(Cache<(TenantId, StreamId), ()>);

impl Contended {
    pub(super) fn new() -> Self {
        Self(caches::CONTENDED_STREAMS.build())
    }

    /// Whether a stream of the command had a conflict.
    pub(super) fn has(&self, tenant_id: TenantId, member: &Member) -> bool {
        member.streams.iter().any(|stream| self.0.contains_key(&(tenant_id, stream.stream_id)))
    }

    /// Marks the streams of a command.
    pub(super) fn mark(&self, tenant_id: TenantId, member: &Member) {
        for stream in &member.streams {
            self.0.insert((tenant_id, stream.stream_id), ());
        }
    }
}
