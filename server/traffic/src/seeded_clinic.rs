//! The two clinics as configured at the voice platform: assistants, phone lines and ids.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::clinic::Clinic;
use crate::people::Numbering;
use crate::scripts::Topic;

mod dental;
mod physio;

/// Properties of a clinic that do not depend on the seed.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) clinic: Clinic,
    pub(crate) numbering: Numbering,
    pub(crate) street: &'static str,
    pub(crate) hours: &'static str,
    pub(crate) services: &'static [Service],
    pub(crate) staff: &'static [&'static str],
    pub(crate) insurers: &'static [&'static str],
    /// Topic of clinical questions, which differ by clinic.
    pub(crate) clinical: &'static Topic,
    /// Assistants, in the order of [`Role`].
    pub(crate) assistants: [AssistantProfile; 4],
    /// Number of inbound calls: E.164, in a range reserved for fiction.
    pub(crate) main_number: &'static str,
    /// Number of outbound reminder calls.
    pub(crate) reminder_number: &'static str,
    /// Number of the front desk, the target of transfers.
    pub(crate) desk_number: &'static str,
}

/// A service that a clinic offers.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) code: &'static str,
    /// Name as used in a sentence.
    pub(crate) phrase: &'static str,
    /// Price as quoted, with its currency.
    pub(crate) price: &'static str,
    pub(crate) minutes: u32,
}

/// The kind of calls an assistant answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    FrontDesk,
    AfterHours,
    Reminders,
    Website,
}

/// An assistant with its components and their prices.
#[derive(Debug)]
pub(crate) struct AssistantProfile {
    /// Configured name; its first word is the name in conversations.
    pub(crate) name: &'static str,
    pub(crate) first_message: &'static str,
    pub(crate) prompt: &'static str,
    pub(crate) model: &'static Model,
    pub(crate) voice: &'static Voice,
    pub(crate) transcriber: &'static Transcriber,
}

impl AssistantProfile {
    pub(crate) fn spoken_name(&self) -> &'static str {
        self.name.split_whitespace().next().unwrap_or(self.name)
    }
}

/// A language model. Prices are nano-dollars per token.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) provider: &'static str,
    pub(crate) name: &'static str,
    pub(crate) prompt_nanos: i64,
    pub(crate) completion_nanos: i64,
}

/// A voice. The price is nano-dollars per character; zero if the clinic uses its own key.
#[derive(Debug)]
pub(crate) struct Voice {
    pub(crate) provider: &'static str,
    pub(crate) id: &'static str,
    pub(crate) model: &'static str,
    pub(crate) character_nanos: i64,
}

/// A speech recognizer. The price is nano-dollars per minute.
#[derive(Debug)]
pub(crate) struct Transcriber {
    pub(crate) provider: &'static str,
    pub(crate) model: &'static str,
    pub(crate) language: &'static str,
    pub(crate) minute_nanos: i64,
}

static SMALL_MODEL: Model =
    Model { provider: "openai", name: "gpt-4o-mini", prompt_nanos: 150, completion_nanos: 600 };
static LARGE_MODEL: Model =
    Model { provider: "openai", name: "gpt-4o", prompt_nanos: 2_500, completion_nanos: 10_000 };
static FAST_MODEL: Model = Model {
    provider: "groq",
    name: "llama-3.3-70b-versatile",
    prompt_nanos: 590,
    completion_nanos: 790,
};

static PLATFORM_VOICE: Voice =
    Voice { provider: "vapi", id: "Elliot", model: "eleven_turbo_v2_5", character_nanos: 50_000 };
static OWN_KEY_VOICE: Voice =
    Voice { provider: "cartesia", id: "sonic-warm-en", model: "sonic-2", character_nanos: 0 };

static TRANSCRIBER_US: Transcriber = Transcriber {
    provider: "deepgram",
    model: "nova-3",
    language: "en-US",
    minute_nanos: 11_238_000,
};
static TRANSCRIBER_GB: Transcriber = Transcriber {
    provider: "deepgram",
    model: "nova-2",
    language: "en-GB",
    minute_nanos: 9_900_000,
};

/// Carrier of a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    Twilio,
    Platform,
}

/// One of a clinic's phone numbers.
#[derive(Debug)]
pub(crate) struct PhoneLine {
    pub(crate) id: Uuid,
    pub(crate) name: &'static str,
    pub(crate) number: &'static str,
    pub(crate) carrier: Carrier,
}

/// A clinic with the ids derived from one seed.
#[derive(Debug)]
pub(crate) struct SeededClinic {
    pub(crate) profile: &'static Profile,
    pub(crate) timezone: Tz,
    pub(crate) org_id: Uuid,
    pub(crate) account_sid: String,
    /// Time at which its numbers and assistants were set up.
    pub(crate) since: DateTime<Utc>,
    assistant_ids: [Uuid; 4],
    pub(crate) main_line: PhoneLine,
    pub(crate) reminder_line: PhoneLine,
}

impl SeededClinic {
    fn new(profile: &'static Profile, seed: u64, since: DateTime<Utc>) -> Self {
        let id = |what: &str| stable_id(seed, profile.clinic.slug, what);
        Self {
            profile,
            timezone: profile.clinic.timezone.parse().expect("the profiles name IANA time zones"),
            org_id: id("organisation"),
            account_sid: format!("AC{}", id("carrier account").simple()),
            since,
            assistant_ids: profile.assistants.each_ref().map(|assistant| id(assistant.name)),
            main_line: PhoneLine {
                id: id("main line"),
                name: "Main line",
                number: profile.main_number,
                carrier: Carrier::Twilio,
            },
            reminder_line: PhoneLine {
                id: id("reminder line"),
                name: "Reminders",
                number: profile.reminder_number,
                carrier: Carrier::Platform,
            },
        }
    }

    pub(crate) fn assistant(&self, role: Role) -> (Uuid, &'static AssistantProfile) {
        (self.assistant_ids[role as usize], &self.profile.assistants[role as usize])
    }
}

/// Returns a deterministic id (UUID version 5) for a seed, clinic and name.
fn stable_id(seed: u64, slug: &str, what: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("{seed}.{slug}.example.com/{what}").as_bytes())
}

/// Returns the public data of both clinics.
pub(crate) fn clinics() -> [Clinic; 2] {
    [dental::PROFILE.clinic, physio::PROFILE.clinic]
}

/// Returns both clinics with the ids of a seed, set up at `since`.
pub(crate) fn seeded_clinics(seed: u64, since: DateTime<Utc>) -> [SeededClinic; 2] {
    [&dental::PROFILE, &physio::PROFILE].map(|profile| SeededClinic::new(profile, seed, since))
}
