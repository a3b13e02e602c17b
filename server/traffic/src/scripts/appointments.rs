//! Scripts for booking, rescheduling and cancelling appointments.

use super::ScriptStep::{Bot, Tools, User};
use super::{Script, Topic};
use crate::tools::Tool;

pub(crate) static BOOKING: Topic = Topic {
    code: "booking",
    scripts: &[BOOK_KNOWN, BOOK_NEW, BOOK_SECOND_CHOICE],
    summaries: &[
        "{name} booked {service} with {staff} for {day} at {time}.",
        "The caller, {name}, asked for {service}. {assistant} offered {day} at {time}, which was accepted.",
    ],
    to_desk: 3,
    asides: 3,
    settles: None,
};

const BOOK_KNOWN: Script = &[
    User(&[
        "Hi, I'd like to book {service}, please.",
        "Hello, I was hoping to get in for {service} in the next couple of weeks.",
        "Hi there. Do you have anything free for {service}?",
    ]),
    Bot(&[
        "Of course. Could I take your full name, please?",
        "Happy to help. Who am I speaking with?",
    ]),
    User(&["It's {name}.", "{name}.", "Sure, my name is {name}."]),
    Tools(&[Tool::LookupCaller]),
    Bot(&[
        "Thank you, {first}. Which day would suit you?",
        "Thanks, {first}, I've found you. Any day in mind?",
    ]),
    User(&["{day} would be good, if you have it.", "Anything on {day}?", "I'm free on {day}."]),
    Tools(&[Tool::CheckAvailability]),
    Bot(&[
        "I have {time} on {day} with {staff}. Would that work?",
        "{staff} is free on {day} at {time}. Shall I take that?",
    ]),
    User(&["Yes, that works.", "Perfect, I'll take it.", "Yeah, {time} is fine."]),
    Tools(&[Tool::BookAppointment]),
    Bot(&[
        "You're booked in for {service} on {day} at {time} with {staff}.",
        "That's done: {day} at {time} with {staff}. You'll get a confirmation shortly.",
    ]),
];

const BOOK_NEW: Script = &[
    User(&[
        "Hello, I'm new to the area and need {service}.",
        "Hi, I've not been to you before. I'm looking for {service}.",
        "A friend recommended you. Could I come in for {service}?",
    ]),
    Bot(&[
        "Welcome! May I have your name and a good number for you?",
        "Lovely. What's your name, please?",
    ]),
    User(&[
        "{name}, and this number is fine.",
        "I'm {name}. You can use the number I'm calling from.",
    ]),
    Bot(&[
        "Thanks, {first}. Do you prefer mornings or afternoons?",
        "And when would you like to come in?",
    ]),
    User(&["Something around {time} would be ideal.", "{day}, ideally. I work most other days."]),
    Tools(&[Tool::LookupCaller, Tool::CheckAvailability]),
    Bot(&[
        "The first opening is {day} at {time}, with {staff}.",
        "How about {day}, {time}, with {staff}?",
    ]),
    User(&["That's great.", "Go on then.", "Yes please, put me down for that."]),
    Tools(&[Tool::BookAppointment]),
    Bot(&[
        "All set, {first}. We'll see you on {day} at {time}. Please come ten minutes early for the forms.",
    ]),
];

const BOOK_SECOND_CHOICE: Script = &[
    User(&[
        "Hi, can I get {service} on {other_day}?",
        "I need {service}, {other_day} if at all possible.",
    ]),
    Tools(&[Tool::CheckAvailability]),
    Bot(&[
        "I'm sorry, {other_day} is full. {day} at {time} is free, though.",
        "We have nothing left on {other_day}. The nearest is {day} at {time}.",
    ]),
    User(&["Hmm, let me check my calendar. Okay, {day} is fine.", "That'll do. {time}, you said?"]),
    Bot(&["Yes, {time} with {staff}. Could I have your name for the booking?"]),
    User(&["{name}.", "Put it under {name}, please."]),
    Tools(&[Tool::BookAppointment]),
    Bot(&["Thank you, {first}. That's {service} on {day} at {time}."]),
];

pub(crate) static RESCHEDULING: Topic = Topic {
    code: "rescheduling",
    scripts: &[MOVE, MOVE_LATE],
    summaries: &[
        "{name} moved the appointment from {other_day} to {day} at {time} with {staff}.",
        "The caller could not make {other_day}. {assistant} rescheduled {service} to {day}, {time}.",
    ],
    to_desk: 5,
    asides: 2,
    settles: None,
};

const MOVE: Script = &[
    User(&[
        "Hi, I need to move my appointment.",
        "Hello, it's {name}. I can't make {other_day} any more.",
        "I've got {service} on {other_day}, and something's come up at work.",
    ]),
    Bot(&[
        "No problem. Let me find it. Your name, please?",
        "That's all right. Who is it booked for?",
    ]),
    User(&["{name}.", "It's under {name}."]),
    Tools(&[Tool::LookupCaller]),
    Bot(&["I see {service} on {other_day} at {other_time}. When would you like instead?"]),
    User(&["Could we do {day}?", "Any time on {day}?", "Same time on {day} would be perfect."]),
    Tools(&[Tool::CheckAvailability]),
    Bot(&[
        "{day} at {time} is open. Shall I move it?",
        "I can offer {time} on {day}. Is that all right?",
    ]),
    User(&["Yes please.", "That's perfect.", "Go ahead."]),
    Tools(&[Tool::RescheduleAppointment]),
    Bot(&[
        "Done. You're now with {staff} on {day} at {time}.",
        "I've moved it to {day}, {time}, {first}.",
    ]),
];

const MOVE_LATE: Script = &[
    User(&[
        "I'm running really late. Is there any way to come in on another day?",
        "I'm stuck in traffic, I won't make {other_time}.",
    ]),
    Bot(&["I'm sorry to hear that. Let me see what we can do. May I have your name?"]),
    User(&["{name}.", "It's {first}, {name}."]),
    Tools(&[Tool::LookupCaller, Tool::CheckAvailability]),
    Bot(&["{staff} could see you on {day} at {time} instead."]),
    User(&["Oh, that would be amazing, thank you.", "Okay, that works for me."]),
    Tools(&[Tool::RescheduleAppointment]),
    Bot(&["I've moved it to {day} at {time}. There's no charge this time."]),
];

pub(crate) static CANCELLING: Topic = Topic {
    code: "cancellation",
    scripts: &[CANCEL, CANCEL_SHORT],
    summaries: &[
        "{name} cancelled {service} on {other_day}. No new appointment was made.",
        "The caller cancelled an appointment because of {excuse}.",
    ],
    to_desk: 3,
    asides: 1,
    settles: None,
};

const CANCEL: Script = &[
    User(&[
        "I have to cancel my appointment, sorry.",
        "Hi, it's {name}. I need to cancel {other_day}.",
        "Could you cancel {service} for me? It's {excuse}.",
    ]),
    Bot(&["Of course. Can I have your name to find it?", "I can do that. What name is it under?"]),
    User(&["{name}.", "{name}, for {other_day}."]),
    Tools(&[Tool::LookupCaller]),
    Bot(&[
        "I have {service} on {other_day} at {other_time}. Would you rather move it than cancel?",
    ]),
    User(&[
        "No, just cancel it, please.",
        "Not right now, it's {excuse}. I'll ring back.",
        "No thanks.",
    ]),
    Tools(&[Tool::CancelAppointment]),
    Bot(&["That's cancelled, {first}. Just call when you're ready to book again."]),
];

const CANCEL_SHORT: Script = &[
    User(&["Cancel my {other_day} appointment, please. The name's {name}."]),
    Tools(&[Tool::CancelAppointment]),
    Bot(&["Your appointment on {other_day} at {other_time} is cancelled."]),
];
