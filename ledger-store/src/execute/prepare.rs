//! The decision on a command, given the events that it depends on.

use ledger_core::aggregate::{Aggregate, Decided, Stream};
use ledger_core::event::Event;
use ledger_core::ids::CommandId;

use super::companion::Companion;
use super::context::{CommandContext, Fault, MAX_EVENTS};
use super::history::History;
use super::turn::Decision;
use super::{ExecuteError, Executed, executed};
use crate::Store;
use crate::append::{Expected, StreamAppend};

/// Number of times that the further streams of a command may change while all are loaded.
const MAX_ROUNDS: usize = 8;

/// A command with its identity and its streams, as far as they are known.
pub(super) struct Run<'a, A: Aggregate> {
    pub(super) context: &'a CommandContext,
    pub(super) command_id: CommandId,
    command: &'a A::Command,
    pub(super) streams: Vec<Stream>,
    /// Number of streams that follow from the command alone; they are the first.
    first: usize,
    /// Makes the event that is recorded with the decision.
    pub(super) companion: Option<&'a dyn Companion<A>>,
}

impl<'a, A: Aggregate> Run<'a, A> {
    pub(super) fn new(
        context: &'a CommandContext,
        command_id: CommandId,
        command: &'a A::Command,
        companion: Option<&'a dyn Companion<A>>,
    ) -> Self {
        let streams = A::streams(context.tenant_id, command);
        let first = streams.len();
        Self { context, command_id, command, streams, first, companion }
    }

    /// The state of the streams, and those that follow from it; `None` if some of them are not
    /// loaded. Then [`Run::streams`] has them.
    fn state(&mut self, history: &History) -> Option<A::State> {
        for _ in 0..MAX_ROUNDS {
            if !history.has(&self.streams) {
                break;
            }
            let mut state = A::State::default();
            for event in history.events::<A::Event>(&self.streams) {
                A::evolve(&mut state, &event);
            }
            let further = A::further_streams(self.context.tenant_id, &state, self.command);
            if further == self.streams[self.first..] {
                return Some(state);
            }
            self.streams.truncate(self.first);
            self.streams.extend(further);
        }
        None
    }
}

/// A command after its turn.
pub(super) enum Prepared<A: Aggregate> {
    /// The answer, which does not depend on other commands of the group.
    Answer(Result<Executed<A::Event>, ExecuteError<A::Rejection>>),
    /// The streams of the command have changed and are not all loaded.
    Further,
    /// Nothing is to be appended. The answer may depend on events that are not appended yet.
    Nothing(Result<Executed<A::Event>, ExecuteError<A::Rejection>>),
    /// The decision is to be appended.
    Decided(Result<Vec<Event>, A::Rejection>, Decision),
}

impl Store {
    /// Looks for an earlier run of the command, and decides.
    pub(super) fn prepare<A: Aggregate>(
        &self,
        run: &mut Run<'_, A>,
        history: &History,
    ) -> Prepared<A> {
        if let Some(earlier) = history.earlier(run.command_id) {
            let is_other = run.context.content.is_some_and(|content| {
                earlier.content.as_deref() != Some(hex::encode(content).as_str())
            });
            return Prepared::Answer(if is_other {
                Err(ExecuteError::Reused)
            } else {
                Ok(executed(earlier.events.clone(), true))
            });
        }
        let Some(state) = run.state(history) else { return Prepared::Further };
        let decided = A::decide(&state, run.command);
        let accompanying = run.companion.map(|companion| {
            let event_id = run.context.tenant_id.command_event(run.command_id, 0);
            let decision = decided.as_ref().map(Vec::as_slice);
            let event = companion.event(event_id, &state, decision);
            let (stream_id, kind) = companion.stream();
            StreamAppend { stream_id, kind, expected: Expected::Any, events: vec![event] }
        });
        let (decided, rejection) = match decided {
            Ok(decided) if decided.is_empty() && accompanying.is_none() => {
                return Prepared::Nothing(Ok(executed(Vec::new(), false)));
            }
            Ok(decided) => (decided, None),
            Err(rejection) if accompanying.is_none() => {
                return Prepared::Nothing(Err(ExecuteError::Rejected(rejection)));
            }
            Err(rejection) => (Vec::new(), Some(rejection)),
        };
        match self.decision(run, history, decided, accompanying) {
            Ok((events, decision)) => {
                Prepared::Decided(rejection.map_or(Ok(events), Err), decision)
            }
            Err(Fault) => Prepared::Answer(Err(ExecuteError::Misplaced)),
        }
    }

    /// The append of a decision, with its events.
    fn decision<A: Aggregate>(
        &self,
        run: &Run<'_, A>,
        history: &History,
        decided: Vec<Decided<A::Event>>,
        accompanying: Option<StreamAppend>,
    ) -> Result<(Vec<Event>, Decision), Fault> {
        let first_event = usize::from(accompanying.is_some());
        if decided.len() + first_event > MAX_EVENTS {
            return Err(Fault);
        }
        let stored = |Decided { stream, event, sections }: Decided<A::Event>| Decided {
            stream,
            event: event.into(),
            sections,
        };
        let decided: Vec<Decided<Event>> = decided.into_iter().map(stored).collect();
        let command = (run.command_id, u16::try_from(first_event).unwrap_or_default());
        let mut request =
            self.decided_request(run.context, command, &run.streams, history, &decided)?;
        let is_versioned = !decided.is_empty();
        let unwritten =
            if is_versioned { history.unwritten(&run.streams, &request) } else { Vec::new() };
        request.streams.splice(0..0, accompanying);
        let placed = |decided: &Decided<Event>| {
            (run.streams[decided.stream].stream_id, decided.event.clone())
        };
        let events = decided.iter().map(placed).collect();
        let decision = Decision { request, unwritten, is_versioned, events };
        Ok((decided.into_iter().map(|decided| decided.event).collect(), decision))
    }
}
