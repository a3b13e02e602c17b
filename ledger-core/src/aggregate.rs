//! Decisions over events: an [`Aggregate`] rebuilds a state from the events of its streams
//! (`evolve`) and turns a command into new events or a rejection (`decide`).
//!
//! Both functions are pure. `ledger_store::execute` loads the streams, decides, and appends with
//! the versions that were loaded, so two decisions over one stream never both hold an outdated
//! state. `testing` has the given/when/then harness for tests of a decider.
//!
//! A complete decider, with its tests:
//!
//! ```
//! use ledger_core::aggregate::testing::given;
//! use ledger_core::aggregate::{Aggregate, Decided, Stream};
//! use ledger_core::envelope::StreamKind;
//! use ledger_core::event::{StateChanged, TenantEvent};
//! use ledger_core::ids::{StreamId, TenantId};
//!
//! /// A switch: on or off, never switched to the side it has already.
//! struct Switch;
//!
//! struct Turn {
//!     switch: &'static str,
//!     to: &'static str,
//! }
//!
//! #[derive(Debug, PartialEq)]
//! enum Refused {
//!     NoSuchSide,
//! }
//!
//! impl Aggregate for Switch {
//!     type State = String;
//!     type Command = Turn;
//!     type Event = TenantEvent;
//!     type Rejection = Refused;
//!
//!     fn streams(tenant_id: TenantId, command: &Turn) -> Vec<Stream> {
//!         let name = tenant_id.derive(&[b"switch", command.switch.as_bytes()]);
//!         vec![Stream::new(StreamId(name), StreamKind::Tenant)]
//!     }
//!
//!     fn decide(side: &String, command: &Turn) -> Result<Vec<Decided<TenantEvent>>, Refused> {
//!         if !["on", "off"].contains(&command.to) {
//!             return Err(Refused::NoSuchSide);
//!         }
//!         if side == command.to {
//!             return Ok(vec![]);
//!         }
//!         let turned = StateChanged { from: side.clone(), to: command.to.to_owned() };
//!         Ok(vec![Decided::first(TenantEvent::StateChanged(turned))])
//!     }
//!
//!     fn evolve(side: &mut String, event: &TenantEvent) {
//!         if let TenantEvent::StateChanged(turned) = event {
//!             side.clone_from(&turned.to);
//!         }
//!     }
//! }
//!
//! let turn = |to| Turn { switch: "lamp", to };
//! let turned = |from: &str, to: &str| {
//!     TenantEvent::StateChanged(StateChanged { from: from.to_owned(), to: to.to_owned() })
//! };
//!
//! // It acts, it stays quiet, it refuses.
//! given::<Switch>([turned("", "on")]).when(turn("off")).then(Ok(vec![turned("on", "off")]));
//! given::<Switch>([turned("", "on")]).when(turn("on")).then(Ok(vec![]));
//! given::<Switch>([]).when(turn("sideways")).then(Err(Refused::NoSuchSide));
//! ```

use crate::envelope::StreamKind;
use crate::event::Event;
use crate::ids::{StreamId, TenantId};
use crate::section::Sections;

/// A stream that a decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// Id of the stream.
    pub stream_id: StreamId,
    /// Kind of the object that the stream is the history of.
    pub kind: StreamKind,
    /// Number of a group of streams of which a decision may choose one group; 0 for no group. The
    /// append checks the versions of a group only if the decision appends to it, and those of group 0
    /// always.
    pub group: u16,
}

impl Stream {
    /// A stream that must be unchanged at the append.
    #[must_use]
    pub const fn new(stream_id: StreamId, kind: StreamKind) -> Self {
        Self { stream_id, kind, group: 0 }
    }

    /// Returns the stream as a member of a group.
    #[must_use]
    pub const fn in_group(self, group: u16) -> Self {
        Self { group, ..self }
    }
}

/// A new event and the stream it is appended to.
#[derive(Debug, Clone)]
pub struct Decided<E> {
    /// Index of the stream in the list of [`Aggregate::streams`], continued by that of
    /// [`Aggregate::further_streams`].
    pub stream: usize,
    /// The event.
    pub event: E,
    /// The personal data of the event, which are stored sealed for the subject of the command.
    pub sections: Sections,
}

impl<E> Decided<E> {
    /// An event without sections.
    pub fn new(stream: usize, event: E) -> Self {
        Self { stream, event, sections: Sections::default() }
    }

    /// An event of the first stream, which is the only one of most aggregates.
    pub fn first(event: E) -> Self {
        Self::new(0, event)
    }
}

/// An object that commands change and that events are the history of.
///
/// All functions depend on their arguments only. Time, fresh ids and settings are fields of the
/// command.
pub trait Aggregate {
    /// The state that decisions need; its default is the state before the first event.
    type State: Default;
    /// A request to change the object, validated as far as possible without its state.
    type Command;
    /// The events of the object, part of [`Event`]. Other events of its streams are not folded.
    type Event: Into<Event> + TryFrom<Event>;
    /// The reason for which a command is rejected. A rejected command records nothing.
    type Rejection;

    /// Returns the streams that the decision depends on, each once: the first is that of the object.
    fn streams(tenant_id: TenantId, command: &Self::Command) -> Vec<Stream>;

    /// Returns the streams that the decision depends on in addition, given the state of those of
    /// [`Aggregate::streams`], such as the days of an appointment that is to be cancelled. None of
    /// them is named there. The default is none.
    fn further_streams(
        _tenant_id: TenantId,
        _state: &Self::State,
        _command: &Self::Command,
    ) -> Vec<Stream> {
        Vec::new()
    }

    /// Decides on a command. An empty list means that nothing changes.
    ///
    /// # Errors
    /// The rejection.
    fn decide(
        state: &Self::State,
        command: &Self::Command,
    ) -> Result<Vec<Decided<Self::Event>>, Self::Rejection>;

    /// Applies an event to the state. Never fails: an event in the log has happened.
    fn evolve(state: &mut Self::State, event: &Self::Event);
}

/// Returns the state after the events, in their order.
pub fn fold<'a, A: Aggregate>(events: impl IntoIterator<Item = &'a A::Event>) -> A::State
where
    A::Event: 'a,
{
    let mut state = A::State::default();
    for event in events {
        A::evolve(&mut state, event);
    }
    state
}

/// A given/when/then harness for tests of [`Aggregate::decide`].
#[cfg(any(test, feature = "test-util"))]
#[expect(clippy::needless_pass_by_value, reason = "a test writes commands and events in place")]
pub mod testing {
    use std::fmt::Debug;

    use super::{Aggregate, Decided, fold};

    /// The state before the command under test.
    pub struct Given<A: Aggregate>(A::State);

    /// The decision on the command under test.
    pub struct When<A: Aggregate>(Result<Vec<Decided<A::Event>>, A::Rejection>);

    /// Folds the events that happened before.
    #[must_use]
    pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
        let events: Vec<_> = events.into_iter().collect();
        Given(fold::<A>(&events))
    }

    /// Starts from a state, for aggregates with facts that no event holds.
    #[must_use]
    pub fn given_state<A: Aggregate>(state: A::State) -> Given<A> {
        Given(state)
    }

    impl<A: Aggregate> Given<A> {
        /// Decides on the command.
        #[must_use]
        pub fn when(self, command: A::Command) -> When<A> {
            When(A::decide(&self.0, &command))
        }

        /// The folded state.
        #[must_use]
        pub fn state(&self) -> &A::State {
            &self.0
        }
    }

    impl<A: Aggregate> When<A>
    where
        A::Event: Debug + PartialEq,
        A::Rejection: Debug + PartialEq,
    {
        /// Compares the decision, whichever streams its events are appended to.
        ///
        /// # Panics
        /// If it differs.
        pub fn then(self, expected: Result<Vec<A::Event>, A::Rejection>) {
            let events = |decided: Vec<Decided<A::Event>>| {
                decided.into_iter().map(|decided| decided.event).collect::<Vec<_>>()
            };
            assert_eq!(self.0.map(events), expected);
        }

        /// Compares the decision with the index of each event's stream.
        ///
        /// # Panics
        /// If it differs.
        pub fn then_in_streams(self, expected: Result<Vec<(usize, A::Event)>, A::Rejection>) {
            let events = |decided: Vec<Decided<A::Event>>| {
                let pair = |decided: Decided<A::Event>| (decided.stream, decided.event);
                decided.into_iter().map(pair).collect::<Vec<_>>()
            };
            assert_eq!(self.0.map(events), expected);
        }
    }
}
