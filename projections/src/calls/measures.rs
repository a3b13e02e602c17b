//! What is summed up over calls.

use std::fmt::Display;

use serde::Serialize;

macro_rules! measures {
    ($($(#[$doc:meta])* $name:ident: $whole:ty,)*) => {
        /// Sums over calls; a column of `call_rollups` each. Counts fit 64 bits. What is told of a call
        /// is summed in 128 bits and kept as `numeric`: whatever is told, no sum overflows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
        pub struct Measures {
            $($(#[$doc])* pub $name: $whole,)*
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
                [$(i128::from(self.$name)),*].into_iter()
            }
        }
    };
}

measures! {
    /// How many.
    calls: i64,
    /// Those whose duration is known.
    timed_calls: i64,
    /// Their durations together.
    duration_ms: i128,
    /// The stated totals together.
    cost_nanos: i128,
    /// Telephony.
    transport_nanos: i128,
    /// Speech to text.
    stt_nanos: i128,
    /// The language model.
    llm_nanos: i128,
    /// Text to speech.
    tts_nanos: i128,
    /// The platforms' fees.
    platform_nanos: i128,
    /// What makes the parts add up to the totals.
    other_nanos: i128,
    /// Those the provider judged.
    evaluated: i64,
    /// Those it judged a success.
    successes: i64,
    /// Those an appointment is linked to.
    booked: i64,
    /// Those that went on to somebody else.
    transfers: i64,
    /// Tool calls together.
    tool_calls: i64,
    /// How often people were interrupted.
    user_interruptions: i64,
    /// How often the assistant was interrupted.
    assistant_interruptions: i64,
    /// Calls whose turn latency is known.
    latency_calls: i64,
    /// Their average turn latencies together.
    latency_ms: i128,
}
