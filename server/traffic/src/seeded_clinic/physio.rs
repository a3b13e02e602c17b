//! Profile of a physiotherapy clinic in London.

use super::{
    AssistantProfile, FAST_MODEL, OWN_KEY_VOICE, PLATFORM_VOICE, Profile, SMALL_MODEL, Service,
    TRANSCRIBER_GB,
};
use crate::clinic::Clinic;
use crate::people::Numbering;
use crate::scripts;

pub(super) static PROFILE: Profile = Profile {
    clinic: Clinic {
        slug: "thameside-physio",
        name: "Thameside Physiotherapy",
        timezone: "Europe/London",
        country: "GB",
    },
    numbering: Numbering::UnitedKingdom,
    street: "Osier Lane",
    hours: "weekdays from half past seven to seven, and Saturdays until one",
    services: &[
        Service { code: "assessment", phrase: "an initial assessment", price: "£78", minutes: 45 },
        Service { code: "follow_up", phrase: "a follow-up session", price: "£58", minutes: 30 },
        Service { code: "sports_massage", phrase: "a sports massage", price: "£65", minutes: 60 },
        Service { code: "shockwave", phrase: "shockwave therapy", price: "£95", minutes: 30 },
        Service { code: "pilates", phrase: "a clinical Pilates class", price: "£24", minutes: 50 },
        Service { code: "gait", phrase: "a running gait analysis", price: "£120", minutes: 60 },
    ],
    staff: &["Marguerite", "Tobias", "Shanelle", "Mr Okafor"],
    insurers: &["Albion Health", "Kestrel Medical", "Wayfarer Cover"],
    clinical: &scripts::EXERCISE,
    assistants: [
        AssistantProfile {
            name: "Imogen (reception)",
            first_message: "Good day, {clinic}, {assistant} speaking. How can I help?",
            prompt: "You are Imogen, the receptionist of Thameside Physiotherapy in London. Book, move and cancel sessions; answer questions about hours, prices and cover. You are not a clinician: pass clinical questions on. Speak British English, briefly.",
            model: &SMALL_MODEL,
            voice: &PLATFORM_VOICE,
            transcriber: &TRANSCRIBER_GB,
        },
        AssistantProfile {
            name: "Rowan (after hours)",
            first_message: "You've reached {clinic}. We're closed just now, but I'm {assistant}, and I can book you in.",
            prompt: "You are Rowan. Thameside Physiotherapy is closed. Take bookings and cancellations; for anything urgent, name 111.",
            model: &FAST_MODEL,
            voice: &OWN_KEY_VOICE,
            transcriber: &TRANSCRIBER_GB,
        },
        AssistantProfile {
            name: "Callum (reminders)",
            first_message: "Hello, it's {assistant} from {clinic}.",
            prompt: "You are Callum. You ring patients of Thameside Physiotherapy before their session, confirm it, and offer another slot if they cannot come.",
            model: &SMALL_MODEL,
            voice: &OWN_KEY_VOICE,
            transcriber: &TRANSCRIBER_GB,
        },
        AssistantProfile {
            name: "Ivy (website)",
            first_message: "Hello, I'm {assistant}. What would you like to know about {clinic}?",
            prompt: "You are Ivy, the voice on the website of Thameside Physiotherapy. Answer questions and book sessions.",
            model: &SMALL_MODEL,
            voice: &PLATFORM_VOICE,
            transcriber: &TRANSCRIBER_GB,
        },
    ],
    main_number: "+447700900990",
    reminder_number: "+447700900991",
    desk_number: "+447700900999",
};
