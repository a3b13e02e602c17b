//! Scripts of questions, answered or transferred to the front desk.

use super::ScriptStep::{Bot, Tools, User};
use super::{Script, Topic};
use crate::tools::Tool;

pub(crate) static HOURS: Topic = Topic {
    code: "opening_hours",
    scripts: &[ASK_HOURS, ASK_WHERE],
    summaries: &[
        "The caller asked about opening hours and was told: {hours}.",
        "A short call about where {clinic} is and when it opens.",
    ],
    to_desk: 0,
    asides: 2,
    settles: None,
};

const ASK_HOURS: Script = &[
    User(&[
        "What time do you close today?",
        "Hi, are you open on Saturdays?",
        "When are you open?",
    ]),
    Bot(&[
        "We're open {hours}.",
        "Our hours are {hours}. The last appointment is half an hour before we close.",
    ]),
    User(&[
        "And over the lunch hour?",
        "So I could come by after work?",
        "Okay, that's good to know.",
    ]),
    Bot(&["Yes, we're open all through the day.", "Yes, as long as it's within those hours."]),
];

const ASK_WHERE: Script = &[
    User(&["Where exactly are you?", "Could you give me your address?"]),
    Bot(&["We're on {street}. The entrance is next to the pharmacy.", "The address is {street}."]),
    User(&["And you're open now?", "Is it easy to get to without a car?"]),
    Bot(&["We're open {hours}, and there's a stop right outside."]),
];

pub(crate) static PRICE: Topic = Topic {
    code: "price_question",
    scripts: &[ASK_PRICE, ASK_PRICE_AND_SLOT],
    summaries: &[
        "{name} asked what {service} costs and was quoted {price}.",
        "Price enquiry for {service}; the caller wants to think it over.",
    ],
    to_desk: 4,
    asides: 3,
    settles: None,
};

const ASK_PRICE: Script = &[
    User(&[
        "How much is {service}?",
        "I'd like to know what you charge for {service}.",
        "What would {service} cost me?",
    ]),
    Bot(&["{service_start} is {price} if you pay yourself.", "We charge {price} for {service}."]),
    User(&[
        "Oh. That's more than I thought.",
        "Okay, and is there a payment plan?",
        "Does that include everything?",
    ]),
    Bot(&[
        "That includes the examination. Anything further is agreed with you first.",
        "You can pay in three instalments without interest.",
    ]),
    User(&["Right. Let me think about it.", "Okay, I'll talk to my partner.", "Fair enough."]),
];

const ASK_PRICE_AND_SLOT: Script = &[
    User(&["Two questions: what's {service}, price-wise, and how soon could I come?"]),
    Tools(&[Tool::CheckAvailability]),
    Bot(&["It's {price}, and the earliest is {day} at {time}."]),
    User(&[
        "All right, I'll call back once I've looked at my week.",
        "Thanks, I'm just comparing for now.",
    ]),
];

pub(crate) static INSURANCE: Topic = Topic {
    code: "insurance_question",
    scripts: &[ASK_INSURANCE, ASK_COVER],
    summaries: &[
        "{name} asked whether {insurer} is accepted. {assistant} confirmed it is, subject to the plan.",
        "Insurance question about {insurer}; the caller will bring the membership number.",
    ],
    to_desk: 12,
    asides: 2,
    settles: None,
};

const ASK_INSURANCE: Script = &[
    User(&["Do you take {insurer}?", "Hi, I'm with {insurer}. Do you work with them?"]),
    Bot(&["Yes, we work with {insurer}.", "We do. Most {insurer} plans are fine."]),
    User(&["And would {service} be covered?", "What do you need from me?"]),
    Bot(&[
        "That depends on your plan. Bring your membership number and we'll check before we start.",
    ]),
];

const ASK_COVER: Script = &[
    User(&["My employer changed us over to {insurer}. Does that change anything?"]),
    Bot(&["Only the details on file. May I have your name?"]),
    User(&["{name}."]),
    Tools(&[Tool::LookupCaller]),
    Bot(&["Thank you, {first}. I've noted that you're with {insurer} now."]),
];

pub(crate) static BILLING: Topic = Topic {
    code: "billing",
    scripts: &[ASK_BILL, ASK_REFUND],
    summaries: &[
        "{name} questioned an invoice for {service} and was put through to the front desk.",
        "Billing enquiry about {price}; handed over to a colleague.",
    ],
    to_desk: 100,
    asides: 0,
    settles: None,
};

const ASK_BILL: Script = &[
    User(&[
        "I got a bill I don't understand.",
        "Hi, I think I was charged twice for {service}.",
        "It's about an invoice for {price}.",
    ]),
    Bot(&["I'm sorry about that. May I have your name?", "Let me see. Who is the invoice for?"]),
    User(&["{name}.", "It's in the name of {name}."]),
    Tools(&[Tool::LookupCaller]),
    Bot(&[
        "Thank you, {first}. I can see {service}, but not the payment itself.",
        "I've found your visit on {other_day}.",
    ]),
    User(&["So can someone sort it out?", "Right, and who can tell me what I owe?"]),
];

const ASK_REFUND: Script = &[
    User(&[
        "You still owe me a refund from {other_day}.",
        "I cancelled in time and still paid {price}.",
    ]),
    Bot(&["I understand. Refunds are handled by our front desk."]),
    User(&["Then let me talk to them, please.", "Okay, put me through."]),
];

pub(crate) static WRONG_NUMBER: Topic = Topic {
    code: "wrong_number",
    scripts: &[WRONG],
    summaries: &["The caller had dialled the wrong number."],
    to_desk: 0,
    asides: 0,
    settles: None,
};

const WRONG: Script = &[
    User(&[
        "Hi, is this the pizza place?",
        "Hello, is Martin there?",
        "Yeah, I'm calling about the flat.",
    ]),
    Bot(&[
        "This is {clinic}. I think you may have the wrong number.",
        "I'm afraid you've reached {clinic}.",
    ]),
    User(&["Oh, sorry. Wrong number.", "Ah, my mistake."]),
];

pub(crate) static PRESCRIPTION: Topic = Topic {
    code: "prescription_question",
    scripts: &[ASK_MEDICINE, ASK_PAIN],
    summaries: &[
        "{name} asked about medication after {service}. No medical advice was given; {staff} will call back.",
        "A question about painkillers, passed on to {staff}.",
    ],
    to_desk: 35,
    asides: 1,
    settles: None,
};

const ASK_MEDICINE: Script = &[
    User(&[
        "I was in on {other_day}, and I've run out of the painkillers.",
        "Can I take ibuprofen with what {staff} gave me?",
    ]),
    Bot(&[
        "I can't advise on medication myself, but I can get you to someone who can. What's your name?",
    ]),
    User(&["{name}.", "{name}. It's not urgent."]),
    Tools(&[Tool::LookupCaller]),
    Bot(&[
        "Thanks, {first}. {staff} will ring you back this afternoon. If it gets worse, please call the emergency line.",
    ]),
    User(&["Okay, I can wait until then.", "All right."]),
];

const ASK_PAIN: Script = &[
    User(&[
        "My tooth has been hurting since {other_day}.",
        "The swelling hasn't gone down. Is that normal?",
    ]),
    Bot(&["I'm sorry you're in pain. Do you have a fever, or trouble swallowing?"]),
    User(&["No, just sore.", "No, nothing like that."]),
    Tools(&[Tool::CheckAvailability]),
    Bot(&[
        "{staff} keeps {time} on {day} free for urgent cases. I'll ask for a call back to confirm.",
    ]),
];

pub(crate) static EXERCISE: Topic = Topic {
    code: "exercise_question",
    scripts: &[ASK_EXERCISE, ASK_SORE],
    summaries: &[
        "{name} asked how often to do the exercises from the last session; {staff} will follow up.",
        "Question about soreness after {service}; passed on to {staff}.",
    ],
    to_desk: 30,
    asides: 1,
    settles: None,
};

const ASK_EXERCISE: Script = &[
    User(&[
        "How often should I be doing the stretches {staff} showed me?",
        "I've lost the sheet with my exercises.",
    ]),
    Bot(&["I'll check your notes. What's your name, please?"]),
    User(&["{name}.", "It's {name}, I was in on {other_day}."]),
    Tools(&[Tool::LookupCaller]),
    Bot(&["Thank you, {first}. I've asked {staff} to send the sheet again today."]),
    User(&["And if it hurts, should I stop?", "Lovely. And can I still run?"]),
    Bot(&["Stop if the pain is sharp, and {staff} will ring you to go through it."]),
];

const ASK_SORE: Script = &[
    User(&["I'm really sore since {other_day}. Is that normal after {service}?"]),
    Bot(&["Some soreness is common, but {staff} should hear about it. Is there any numbness?"]),
    User(&["No numbness, it's just stiff.", "No, it's only when I bend down."]),
    Bot(&["I'll have {staff} call you back before {time}."]),
];
