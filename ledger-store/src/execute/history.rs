//! The events that the commands of a group are decided on: those of the log, and those that earlier
//! commands of the group have decided and that are not appended yet.

use std::collections::{BTreeMap, HashMap, HashSet};

use ledger_core::aggregate::Stream;
use ledger_core::envelope::{Recorded, StreamKind};
use ledger_core::event::Event;
use ledger_core::ids::{CommandId, StreamId, StreamVersion};

use super::load::{self, Earlier};
use super::schedules::{FirstEvents, Schedules};
use crate::append::AppendRequest;
use crate::error::StoreError;
use crate::tenant_tx::TenantTx;

/// Place of the first decided event in the order of the log, behind every position.
const FIRST_DECIDED: i64 = 1 << 62;

/// The events of a stream, with their places in the order of the log.
#[derive(Debug)]
struct Known {
    recorded: FirstEvents,
    /// Events that are not appended yet.
    decided: Vec<(i64, Event)>,
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
        schedules: &Schedules,
        streams: &[Stream],
        commands: &[CommandId],
    ) -> Result<Self, StoreError> {
        let mut history = Self::default();
        history.load_further(tx, schedules, streams).await?;
        history.earlier = load::earlier_of(tx, commands).await?;
        Ok(history)
    }

    /// Loads those of the streams that are not loaded.
    pub(super) async fn load_further(
        &mut self,
        tx: &mut TenantTx,
        schedules: &Schedules,
        streams: &[Stream],
    ) -> Result<(), StoreError> {
        let tenant_id = tx.tenant_id();
        let is_missing = |stream: &&Stream| !self.streams.contains_key(&stream.stream_id);
        let missing: BTreeMap<StreamId, StreamKind> = streams
            .iter()
            .filter(is_missing)
            .map(|stream| (stream.stream_id, stream.kind))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let first_events = |(stream_id, kind): (&StreamId, &StreamKind)| {
            let is_schedule = *kind == StreamKind::Schedule;
            let known = is_schedule.then(|| schedules.get(tenant_id, *stream_id)).flatten();
            (*stream_id, known.unwrap_or_else(FirstEvents::none))
        };
        let mut loaded: BTreeMap<StreamId, FirstEvents> =
            missing.iter().map(first_events).collect();
        let others = extend(tx, &mut loaded).await?;
        if !others.is_empty() {
            let mut anew =
                others.into_iter().map(|stream_id| (stream_id, FirstEvents::none())).collect();
            extend(tx, &mut anew).await?;
            loaded.append(&mut anew);
        }
        for (stream_id, recorded) in loaded {
            if missing[&stream_id] == StreamKind::Schedule && !recorded.events.is_empty() {
                schedules.put(tenant_id, stream_id, &recorded);
            }
            self.streams.insert(stream_id, Known { recorded, decided: Vec::new() });
        }
        Ok(())
    }

    /// Whether all of the streams are loaded.
    pub(super) fn has(&self, streams: &[Stream]) -> bool {
        streams.iter().all(|stream| self.streams.contains_key(&stream.stream_id))
    }

    /// Adds an event that was decided and is not appended yet.
    pub(super) fn push(&mut self, stream_id: StreamId, event: Event) {
        let known = self.streams.entry(stream_id);
        let known =
            known.or_insert_with(|| Known { recorded: FirstEvents::none(), decided: Vec::new() });
        known.decided.push((FIRST_DECIDED + self.decided, event));
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
            let decided = i64::try_from(known.decided.len()).unwrap_or(i64::MAX);
            StreamVersion(known.loaded().0 + decided)
        })
    }

    /// The events of the streams that the aggregate folds, in the order of the log.
    pub(super) fn events<E: TryFrom<Event>>(&self, streams: &[Stream]) -> Vec<E> {
        let known = streams.iter().filter_map(|stream| self.streams.get(&stream.stream_id));
        let mut events: Vec<_> =
            known.flat_map(|known| known.recorded.events.iter().chain(&known.decided)).collect();
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
        let loaded = |stream_id| self.streams.get(&stream_id).map(Known::loaded);
        unwritten
            .map(|stream| (stream.stream_id, loaded(stream.stream_id).unwrap_or_default()))
            .collect()
    }
}

impl Known {
    /// Version in the log.
    fn loaded(&self) -> StreamVersion {
        self.recorded.version()
    }
}

/// Adds the events that follow the known ones of each stream. Returns the streams of which the last known
/// event is not in the log, which are removed: the transaction sees an older state, or the database was
/// restored.
async fn extend(
    tx: &mut TenantTx,
    known: &mut BTreeMap<StreamId, FirstEvents>,
) -> Result<Vec<StreamId>, StoreError> {
    let from: Vec<_> = known.iter().map(|(id, events)| (*id, events.version())).collect();
    let mut read: HashMap<StreamId, Vec<Recorded>> = HashMap::new();
    for recorded in load::events_from(tx, &from).await? {
        read.entry(recorded.stream_id).or_default().push(recorded);
    }
    let mut others = Vec::new();
    known.retain(|stream_id, events| {
        let mut read = read.remove(stream_id).unwrap_or_default();
        if events.last.is_some() {
            if read.first().map(|first| first.event_id) != events.last {
                others.push(*stream_id);
                return false;
            }
            read.remove(0);
        }
        if let Some(last) = read.last() {
            let last = Some(last.event_id);
            let read = read.into_iter().map(|recorded| (recorded.position.0, recorded.event));
            let events_now = events.events.iter().cloned().chain(read).collect();
            *events = FirstEvents { events: events_now, last };
        }
        true
    });
    Ok(others)
}
