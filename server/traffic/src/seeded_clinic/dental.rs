//! Profile of a dental clinic in San Francisco.

use super::{
    AssistantProfile, FAST_MODEL, LARGE_MODEL, OWN_KEY_VOICE, PLATFORM_VOICE, Profile, SMALL_MODEL,
    Service, TRANSCRIBER_US,
};
use crate::clinic::Clinic;
use crate::people::Numbering;
use crate::scripts;

pub(super) static PROFILE: Profile = Profile {
    clinic: Clinic {
        slug: "harbor-dental",
        name: "Harbor Dental",
        timezone: "America/Los_Angeles",
        country: "US",
    },
    numbering: Numbering::NorthAmerica,
    street: "Lantern Street",
    hours: "Monday to Friday from eight to six, and Saturday mornings",
    services: &[
        Service { code: "cleaning", phrase: "a check-up and cleaning", price: "$145", minutes: 45 },
        Service { code: "filling", phrase: "a filling", price: "$210", minutes: 40 },
        Service { code: "crown", phrase: "a crown fitting", price: "$1,150", minutes: 75 },
        Service { code: "whitening", phrase: "teeth whitening", price: "$320", minutes: 60 },
        Service {
            code: "root_canal",
            phrase: "a root canal consultation",
            price: "$95",
            minutes: 30,
        },
        Service { code: "aligners", phrase: "an aligner check", price: "$80", minutes: 20 },
        Service { code: "child_exam", phrase: "a children's exam", price: "$75", minutes: 30 },
    ],
    staff: &["Dr. Adeyemi", "Dr. Larkspur", "Dr. Petrakis", "Sol Marenko"],
    insurers: &["Northgate Dental", "Bluewater Health", "Summit PPO", "Cedar Mutual"],
    clinical: &scripts::PRESCRIPTION,
    assistants: [
        AssistantProfile {
            name: "Riley (front desk)",
            first_message: "Thank you for calling {clinic}, this is {assistant}. How can I help you today?",
            prompt: "You are Riley, the friendly voice of Harbor Dental in San Francisco. Help callers book, move or cancel appointments and answer questions about hours, prices and insurance. Never give medical advice. Keep answers to one or two sentences.",
            model: &LARGE_MODEL,
            voice: &PLATFORM_VOICE,
            transcriber: &TRANSCRIBER_US,
        },
        AssistantProfile {
            name: "Avery (after hours)",
            first_message: "{clinic}, this is {assistant}. The office is closed, but I can still help with appointments.",
            prompt: "You are Avery. The office of Harbor Dental is closed. Offer appointments, and in an emergency tell callers to ring 911. Keep it short.",
            model: &FAST_MODEL,
            voice: &OWN_KEY_VOICE,
            transcriber: &TRANSCRIBER_US,
        },
        AssistantProfile {
            name: "Morgan (reminders)",
            first_message: "Hello, this is {assistant} from {clinic}.",
            prompt: "You are Morgan. You ring patients of Harbor Dental a few days before their visit, confirm that they come, and move the visit if they cannot. If a machine answers, leave one short message.",
            model: &SMALL_MODEL,
            voice: &PLATFORM_VOICE,
            transcriber: &TRANSCRIBER_US,
        },
        AssistantProfile {
            name: "Quinn (website)",
            first_message: "Hi, I'm {assistant} from {clinic}. What can I do for you?",
            prompt: "You are Quinn, the voice button on the website of Harbor Dental. Answer questions and book appointments.",
            model: &SMALL_MODEL,
            voice: &PLATFORM_VOICE,
            transcriber: &TRANSCRIBER_US,
        },
    ],
    main_number: "+14155550190",
    reminder_number: "+14155550191",
    desk_number: "+14155550199",
};
