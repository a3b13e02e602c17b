//! Scripts of callers and assistants, combined at random for every call.
//!
//! A line may contain placeholders such as `{day}` or `{staff}`, which `context::CallContext::fill`
//! replaces.

use crate::tools::Tool;

mod appointments;
mod outbound;
mod questions;

pub(crate) use appointments::{BOOKING, CANCELLING, RESCHEDULING};
pub(crate) use outbound::{REMINDER, UNREACHED, VOICEMAIL};
pub(crate) use questions::{
    BILLING, EXERCISE, HOURS, INSURANCE, PRESCRIPTION, PRICE, WRONG_NUMBER,
};

/// One turn of a script; a line is drawn from the list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ScriptStep {
    Bot(&'static [&'static str]),
    User(&'static [&'static str]),
    /// Called in one message and answered before the next line.
    Tools(&'static [Tool]),
}

pub(crate) type Script = &'static [ScriptStep];

/// Reason of a call, with its scripts.
#[derive(Debug)]
pub(crate) struct Topic {
    /// The intent in the structured data.
    pub(crate) code: &'static str,
    pub(crate) scripts: &'static [Script],
    /// Summaries of a completed call, one of which is drawn.
    pub(crate) summaries: &'static [&'static str],
    /// Percentage of such calls transferred to the front desk.
    pub(crate) to_desk: u32,
    /// Maximum number of [`ASIDES`] in such a call.
    pub(crate) asides: usize,
    /// State of the appointment after a completed call in which no tool changed it.
    pub(crate) settles: Option<&'static str>,
}

/// Exchanges that fit anywhere before the end of a call.
pub(crate) const ASIDES: &[Script] = &[
    &[
        ScriptStep::User(&["Is there anywhere to park?", "What's parking like round there?"]),
        ScriptStep::Bot(&[
            "There is a small car park behind the building, and it's free for patients.",
            "You can park behind us on {street}. Just give your plate number at the desk.",
        ]),
    ],
    &[
        ScriptStep::User(&["Do I need to bring anything?", "Should I bring anything with me?"]),
        ScriptStep::Bot(&[
            "Just a photo ID and a list of any medication you take.",
            "Only your insurance details, if you would like us to bill them.",
        ]),
    ],
    &[
        ScriptStep::User(&["Remind me, where are you exactly?", "Sorry, which street are you on?"]),
        ScriptStep::Bot(&["We are on {street}, and we open {hours}."]),
    ],
    &[
        ScriptStep::User(&["How long does it usually take?", "Roughly how long will I be there?"]),
        ScriptStep::Bot(&[
            "For {service}, plan on about {minutes} minutes.",
            "Usually around {minutes} minutes, including a few minutes of paperwork.",
        ]),
    ],
    &[
        ScriptStep::User(&[
            "I'm a bit nervous, if I'm honest.",
            "It's been a couple of years since I was last in.",
        ]),
        ScriptStep::Bot(&[
            "That's completely understandable. {staff} is very gentle, and you can pause at any time.",
            "No need to worry, plenty of people tell us that. We'll take it at your pace.",
        ]),
    ],
    &[
        ScriptStep::User(&["Are you a real person?", "Wait, am I talking to a machine?"]),
        ScriptStep::Bot(&[
            "I'm {assistant}, the virtual assistant of {clinic}. I can put you through to someone if you prefer.",
        ]),
        ScriptStep::User(&[
            "No, that's fine, carry on.",
            "Ha, okay. Well, you're doing all right.",
        ]),
    ],
    &[
        ScriptStep::User(&["Could you text me that?", "Can you send me a confirmation?"]),
        ScriptStep::Bot(&["You'll get a confirmation message in the next few minutes."]),
    ],
];

/// The caller is satisfied and ends the conversation.
pub(crate) const THANKS: ScriptStep = ScriptStep::User(&[
    "Great, thank you so much.",
    "Perfect, thanks.",
    "No, that's everything. Thanks for your help.",
    "Brilliant, cheers.",
    "Okay, thanks. Bye now.",
]);

/// The assistant ends the conversation.
pub(crate) const FAREWELL: ScriptStep = ScriptStep::Bot(&[
    "You're welcome, {first}. Have a lovely day. Goodbye.",
    "Thank you for calling {clinic}. Goodbye.",
    "My pleasure. Take care, and goodbye.",
]);

/// The assistant offers further help before the caller hangs up.
pub(crate) const ANYTHING_ELSE: ScriptStep = ScriptStep::Bot(&[
    "Is there anything else I can help you with?",
    "Anything else I can do for you today?",
]);

/// The assistant announces a transfer.
pub(crate) const PUTTING_THROUGH: ScriptStep = ScriptStep::Bot(&[
    "Let me put you through to the front desk. One moment, please.",
    "I'll transfer you to a colleague who can look into that. Please hold.",
]);

/// The assistant checks for the caller after a silence.
pub(crate) const STILL_THERE: ScriptStep =
    ScriptStep::Bot(&["Are you still there?", "Hello? I can't hear you at the moment."]);

/// Summaries of a call that ended early.
pub(crate) const BROKEN_OFF: &[&str] = &[
    "The conversation about {service} broke off before anything was settled.",
    "{name} spoke with {assistant} briefly; the call ended early and no request was completed.",
];
