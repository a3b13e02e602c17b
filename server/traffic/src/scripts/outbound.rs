//! Scripts of outbound calls.

use super::ScriptStep::{Bot, Tools, User};
use super::{Script, Topic};
use crate::tools::Tool;

pub(crate) static REMINDER: Topic = Topic {
    code: "reminder",
    scripts: &[CONFIRMS, MOVES, BUSY_NOW],
    summaries: &[
        "{assistant} reminded {name} of {service} on {day} at {time}. The patient will attend.",
        "Reminder call for {day}, {time}, answered by {name}.",
    ],
    to_desk: 4,
    asides: 2,
    settles: Some("confirmed"),
};

const CONFIRMS: Script = &[
    User(&["Hello?", "Yes, hello?", "{name} speaking."]),
    Bot(&[
        "Hello, this is {assistant} from {clinic}. I'm calling about your appointment on {day} at {time}.",
    ]),
    User(&["Oh yes, I remember.", "Right, with {staff}?", "Yes, I have it written down."]),
    Bot(&["That's the one. Can I confirm that you'll be there?", "Will you be able to make it?"]),
    User(&["Yes, I'll be there.", "Definitely.", "I will, thanks for the reminder."]),
    Bot(&["Wonderful, {first}. Please come five minutes early."]),
];

const MOVES: Script = &[
    User(&["Hello?", "Hi, who's this?"]),
    Bot(&[
        "Hi, it's {assistant} from {clinic}, about your appointment on {other_day}. Can you still make it?",
    ]),
    User(&["Actually, no. Could we do {day}?", "I was going to call you. {day} would be better."]),
    Tools(&[Tool::CheckAvailability]),
    Bot(&["{day} at {time} is free. Shall I move it?"]),
    User(&["Yes, please.", "That suits me better, yes."]),
    Tools(&[Tool::RescheduleAppointment]),
    Bot(&["Done. We'll see you on {day} at {time}."]),
];

const BUSY_NOW: Script = &[
    User(&["Hello? I'm driving.", "Can't talk now, sorry, I'm in a meeting."]),
    Bot(&[
        "I'll be quick: your appointment at {clinic} is on {day} at {time}. Is that still fine?",
    ]),
    User(&["Yes, yes. All good.", "Yep, see you then."]),
];

/// Topic of calls answered by voicemail.
pub(crate) static VOICEMAIL: Topic = Topic {
    code: "reminder",
    scripts: &[TO_A_MACHINE],
    summaries: &[
        "{assistant} left a reminder of {service} on {day} on the voicemail of {name}.",
        "Voicemail reached; a message about {day} at {time} was left.",
    ],
    to_desk: 0,
    asides: 0,
    settles: None,
};

const TO_A_MACHINE: Script = &[
    User(&[
        "Hi, you've reached {first}. I can't come to the phone right now, so please leave a message.",
        "The person you are calling is not available. Please record your message after the tone.",
        "Your call has been forwarded to voicemail. At the tone, please record your message.",
    ]),
    Bot(&[
        "Hello {first}, this is {assistant} from {clinic}. A reminder of {service} on {day} at {time}. Please call us back if you can't make it.",
        "Hi {first}, it's {assistant} from {clinic} with a reminder for {day} at {time} with {staff}. See you then.",
    ]),
];

/// Topic of unanswered calls, which have no dialogue.
pub(crate) static UNREACHED: Topic = Topic {
    code: "reminder",
    scripts: &[&[]],
    summaries: &[""],
    to_desk: 0,
    asides: 0,
    settles: None,
};
