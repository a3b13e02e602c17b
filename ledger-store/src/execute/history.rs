//! The events that the commands of a group are decided on: those of the log, and those that earlier
//! commands of the group have decided and that are not appended yet.

use std::collections::{HashMap, HashSet};

use ledger_core::aggregate::Stream;
use ledger_core::event::Event;
use ledger_core::ids::{CommandId, StreamId, StreamVersion};

use super::load::{self, Earlier};
use crate::append::AppendRequest;
use crate::error::StoreError;
use crate::tenant_tx::TenantTx;

/// Place of the first decided event in the order of the log, behind every position.
const FIRST_DECIDED: i64 = 1 << 62;

/// The events of a stream, with their places in the order of the log.
#[derive(Debug, Default)]
struct Known {
    /// Version in the log.
    loaded: StreamVersion,
    events: Vec<(i64, Event)>,
    /// Number of events that are not appended yet.
    decided: i64,
}

/// The loaded streams, and the earlier runs of the commands.
#[derive(Debug, Default)]
pub(super) struct History {
    streams: HashMap<StreamId, Known>,
    earlier: HashMap<CommandId, Earlier>,
    decided: i64,
}

impl History {
    /// Loads the streams and looks for earlier runs of the commands. The transaction must see one
    /// state of the log: then an earlier run is found, or none of the loaded events is its own.
    pub(super) async fn load(
        tx: &mut TenantTx,
        streams: &[Stream],
        commands: &[CommandId],
    ) -> Result<Self, StoreError> {
        let mut history = Self::default();
        history.load_further(tx, streams).await?;
        history.earlier = load::earlier_of(tx, commands).await?;
        Ok(history)
    }

    /// Loads those of the streams that are not loaded.
    pub(super) async fn load_further(
        &mut self,
        tx: &mut TenantTx,
        streams: &[Stream],
    ) -> Result<(), StoreError> {
        let missing: HashSet<_> = streams
            .iter()
            .map(|stream| stream.stream_id)
            .filter(|stream_id| !self.streams.contains_key(stream_id))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let missing: Vec<_> = missing.into_iter().collect();
        for stream_id in &missing {
            self.streams.insert(*stream_id, Known::default());
        }
        for recorded in load::events(tx, &missing).await? {
            let known = self.streams.entry(recorded.stream_id).or_default();
            known.loaded = recorded.stream_version;
            known.events.push((recorded.position.0, recorded.event));
        }
        Ok(())
    }

    /// Whether all of the streams are loaded.
    pub(super) fn has(&self, streams: &[Stream]) -> bool {
        streams.iter().all(|stream| self.streams.contains_key(&stream.stream_id))
    }

    /// Adds an event that was decided and is not appended yet.
    pub(super) fn push(&mut self, stream_id: StreamId, event: Event) {
        let known = self.streams.entry(stream_id).or_default();
        known.events.push((FIRST_DECIDED + self.decided, event));
        known.decided += 1;
        self.decided += 1;
    }

    /// The events of an earlier run of the command.
    pub(super) fn earlier(&self, command_id: CommandId) -> Option<&Earlier> {
        self.earlier.get(&command_id)
    }

    /// The version of a stream after the decided events; 0 for one without events.
    pub(super) fn version(&self, stream_id: StreamId) -> StreamVersion {
        let known = self.streams.get(&stream_id);
        known.map_or_else(StreamVersion::default, |known| {
            StreamVersion(known.loaded.0 + known.decided)
        })
    }

    /// The events of the streams that the aggregate folds, in the order of the log.
    pub(super) fn events<E: TryFrom<Event>>(&self, streams: &[Stream]) -> Vec<E> {
        let known = streams.iter().filter_map(|stream| self.streams.get(&stream.stream_id));
        let mut events: Vec<_> = known.flat_map(|known| &known.events).collect();
        events.sort_by_key(|(place, _)| *place);
        events.into_iter().filter_map(|(_, event)| event.clone().try_into().ok()).collect()
    }

    /// The streams of a command that get no event of its request and must not have changed, with
    /// their versions in the log: those outside alternatives, and those of the alternatives that the
    /// request writes.
    pub(super) fn unwritten(
        &self,
        streams: &[Stream],
        request: &AppendRequest,
    ) -> Vec<(StreamId, StreamVersion)> {
        let written: HashSet<_> = request.streams.iter().map(|append| append.stream_id).collect();
        let is_written = |stream: &&Stream| written.contains(&stream.stream_id);
        let chosen: HashSet<u16> =
            streams.iter().filter(is_written).map(|stream| stream.group).collect();
        let must_stay = |stream: &&Stream| stream.group == 0 || chosen.contains(&stream.group);
        let unwritten = streams.iter().filter(|stream| !is_written(stream)).filter(must_stay);
        let loaded = |stream_id| self.streams.get(&stream_id).map(|known| known.loaded);
        unwritten
            .map(|stream| (stream.stream_id, loaded(stream.stream_id).unwrap_or_default()))
            .collect()
    }
}
