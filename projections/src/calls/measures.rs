//! The measures that rollups sum over calls.

use std::fmt::Display;

use serde::Serialize;

macro_rules! measures {
    ($($(#[$doc:meta])* $name:ident: $whole:ty,)*) => {
        /// Sums over calls; one column of `call_rollups` each. Counts fit into 64 bits. Values
        /// reported by the provider are summed in 128 bits and stored as `numeric`, so no reported
        /// value can overflow a sum.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
        pub struct Measures {
            $($(#[$doc])* pub $name: $whole,)*
        }

        impl Measures {
            /// Column names, in the order of [`Measures::values`], each after a comma.
            pub(super) const COLUMNS: &'static str = concat!($(", ", stringify!($name)),*);

            /// Returns the sum of both, or `None` on overflow.
            #[must_use]
            pub fn plus(self, other: Self) -> Option<Self> {
                Some(Self { $($name: self.$name.checked_add(other.$name)?,)* })
            }

            /// Returns the difference of both, or `None` on overflow.
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
    /// Number of calls in the sum.
    calls: i64,
    /// Number of calls with a known duration.
    timed_calls: i64,
    /// Sum of the known durations, in milliseconds.
    duration_ms: i128,
    /// Sum of the stated totals, in nanos.
    cost_nanos: i128,
    /// Cost of telephony, in nanos.
    transport_nanos: i128,
    /// Cost of speech to text, in nanos.
    stt_nanos: i128,
    /// Cost of the language model, in nanos.
    llm_nanos: i128,
    /// Cost of text to speech, in nanos.
    tts_nanos: i128,
    /// Fees of the platforms, in nanos.
    platform_nanos: i128,
    /// Difference between the totals and the sum of the parts.
    other_nanos: i128,
    /// Number of calls the provider evaluated.
    evaluated: i64,
    /// Number of calls evaluated as successful.
    successes: i64,
    /// Number of calls in which an appointment was booked.
    booked: i64,
    /// Number of calls transferred to another party.
    transfers: i64,
    /// Number of tool calls of all these calls.
    tool_calls: i64,
    /// Number of interruptions of the user, where reported.
    user_interruptions: i64,
    /// Number of interruptions of the assistant, where reported.
    assistant_interruptions: i64,
    /// Number of calls with a known turn latency.
    latency_calls: i64,
    /// Sum of the calls' average turn latencies, in milliseconds.
    latency_ms: i128,
    /// Number of calls with a conversation.
    engaged: i64,
    /// Number of calls in which a free time was told or booked.
    offered: i64,
    /// Number of calls of which an appointment took place.
    attended: i64,
}
