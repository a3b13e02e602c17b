//! An event that is recorded together with the decision on a command.

use ledger_core::aggregate::{Aggregate, Decided};
use ledger_core::envelope::StreamKind;
use ledger_core::ids::{EventId, StreamId};

use crate::append::{Appended, NewEvent};

/// Makes the event that is recorded in the append of a decision, in a stream that the decision does
/// not depend on.
pub(crate) trait Companion<A: Aggregate>: Sync {
    /// The stream of the event. It is none of the streams of the aggregate.
    fn stream(&self) -> (StreamId, StreamKind);

    /// Makes the event for a decision. Called again when the command is decided again; the event of
    /// the last call is recorded.
    fn event(
        &self,
        event_id: EventId,
        state: &A::State,
        decision: Result<&[Decided<A::Event>], &A::Rejection>,
    ) -> NewEvent;

    /// Called when the event is recorded.
    fn recorded(&self, appended: Appended);
}
