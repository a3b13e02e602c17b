//! A command in progress, and the streams that other processes write to.

use ledger_core::aggregate::{Aggregate, Stream};
use ledger_core::ids::{CommandId, StreamId, TenantId};
use moka::sync::Cache;

use super::companion::Companion;
use super::context::CommandContext;
use crate::caches;

/// A command with its identity and its streams, as far as they are known.
pub(super) struct Run<'a, A: Aggregate> {
    pub(super) context: &'a CommandContext,
    pub(super) command_id: CommandId,
    pub(super) command: &'a A::Command,
    pub(super) streams: Vec<Stream>,
    /// Number of streams that follow from the command alone; they are the first.
    pub(super) first: usize,
    /// Makes the event that is recorded with the decision.
    pub(super) companion: Option<&'a dyn Companion<A>>,
}

impl<A: Aggregate> Run<'_, A> {
    fn keys(&self) -> impl Iterator<Item = (TenantId, StreamId)> {
        self.streams.iter().map(|stream| (self.context.tenant_id, stream.stream_id))
    }
}

/// The streams of recent conflicts.
pub(crate) struct Contended(Cache<(TenantId, StreamId), ()>);

impl Contended {
    pub(crate) fn new() -> Self {
        Self(caches::CONTENDED_STREAMS.build())
    }

    pub(super) fn has<A: Aggregate>(&self, run: &Run<'_, A>) -> bool {
        run.keys().any(|key| self.0.contains_key(&key))
    }

    pub(super) fn mark<A: Aggregate>(&self, run: &Run<'_, A>) {
        for key in run.keys() {
            self.0.insert(key, ());
        }
    }
}
