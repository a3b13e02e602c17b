//! What is summed up over calls.

use std::fmt::Display;

use serde::Serialize;

macro_rules! measures {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Sums over calls; a column of `call_rollups` each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
        pub struct Measures {
            $($(#[$doc])* pub $name: i64,)*
        }

        impl Measures {
            /// The columns, in the order of [`Measures::values`].
            pub(super) const COLUMNS: &'static str = concat!($(", ", stringify!($name)),*);

            /// Adds another. `None` when a sum does not fit.
            #[must_use]
            pub fn plus(self, other: Self) -> Option<Self> {
                Some(Self { $($name: self.$name.checked_add(other.$name)?,)* })
            }

            /// Takes another away. `None` when a sum does not fit.
            #[must_use]
            pub fn minus(self, other: Self) -> Option<Self> {
                Some(Self { $($name: self.$name.checked_sub(other.$name)?,)* })
            }

            pub(super) fn values(&self) -> impl Iterator<Item = impl Display> {
                [$(self.$name),*].into_iter()
            }
        }
    };
}

measures! {
    /// How many.
    calls,
    /// Those whose duration is known.
    timed_calls,
    /// Their durations together.
    duration_ms,
    /// The stated totals together.
    cost_nanos,
    /// Telephony.
    transport_nanos,
    /// Speech to text.
    stt_nanos,
    /// The language model.
    llm_nanos,
    /// Text to speech.
    tts_nanos,
    /// The platforms' fees.
    platform_nanos,
    /// What makes the parts add up to the totals.
    other_nanos,
    /// Those the provider judged.
    evaluated,
    /// Those it judged a success.
    successes,
    /// Those an appointment is linked to.
    booked,
    /// Those that went on to somebody else.
    transfers,
    /// Tool calls together.
    tool_calls,
    /// How often people were interrupted.
    user_interruptions,
    /// How often the assistant was interrupted.
    assistant_interruptions,
    /// Calls whose turn latency is known.
    latency_calls,
    /// Their average turn latencies together.
    latency_ms,
}
