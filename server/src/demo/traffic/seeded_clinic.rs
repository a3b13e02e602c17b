//! The two clinics as configured at the voice platform: assistants, phone lines and ids.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::Clinic;
use super::people::Numbering;
use super::scripts::Topic;

mod dental;
mod physio;

/// Properties of a clinic that do not depend on the seed.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) clinic: Clinic,
    pub(super) numbering: Numbering,
    pub(super) street: &'static str,
    pub(super) hours: &'static str,
    pub(super) services: &'static [Service],
    pub(super) staff: &'static [&'static str],
    pub(super) insurers: &'static [&'static str],
    /// Topic of clinical questions, which differ by clinic.
    pub(super) clinical: &'static Topic,
    /// Assistants, in the order of [`Role`].
    pub(super) assistants: [AssistantProfile; 4],
    /// Number of inbound calls: E.164, in a range reserved for fiction.
    pub(super) main_number: &'static str,
    /// Number of outbound reminder calls.
    pub(super) reminder_number: &'static str,
    /// Number of the front desk, the target of transfers.
    pub(super) desk_number: &'static str,
}

/// A service that a clinic offers.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) code: &'static str,
    /// Name as used in a sentence.
    pub(super) phrase: &'static str,
    /// Price as quoted, with its currency.
    pub(super) price: &'static str,
    pub(super) minutes: u32,
}

/// The kind of calls an assistant answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    FrontDesk,
    AfterHours,
    Reminders,
    Website,
}

/// An assistant with its components and their prices.
#[derive(Debug)]
pub(super) struct AssistantProfile {
    /// Configured name; its first word is the name in conversations.
    pub(super) name: &'static str,
    pub(super) first_message: &'static str,
    pub(super) prompt: &'static str,
    pub(super) model: &'static Model,
    pub(super) voice: &'static Voice,
    pub(super) transcriber: &'static Transcriber,
}

impl AssistantProfile {
    pub(super) fn spoken_name(&self) -> &'static str {
        self.name.split_whitespace().next().unwrap_or(self.name)
    }
}

/// A language model. Prices are nano-dollars per token.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) provider: &'static str,
    pub(super) name: &'static str,
    pub(super) prompt_nanos: i64,
    pub(super) completion_nanos: i64,
}

/// A voice. The price is nano-dollars per character; zero if the clinic uses its own key.
#[derive(Debug)]
pub(super) struct Voice {
    pub(super) provider: &'static str,
    pub(super) id: &'static str,
    pub(super) model: &'static str,
    pub(super) character_nanos: i64,
}

/// A speech recognizer. The price is nano-dollars per minute.
#[derive(Debug)]
pub(super) struct Transcriber {
    pub(super) provider: &'static str,
    pub(super) model: &'static str,
    pub(super) language: &'static str,
    pub(super) minute_nanos: i64,
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
pub(super) enum Carrier {
    Twilio,
    Platform,
}

/// One of a clinic's phone numbers.
#[derive(Debug)]
pub(super) struct PhoneLine {
    pub(super) id: Uuid,
    pub(super) name: &'static str,
    pub(super) number: &'static str,
    pub(super) carrier: Carrier,
}

/// A clinic with the ids derived from one seed.
#[derive(Debug)]
pub(super) struct SeededClinic {
    pub(super) profile: &'static Profile,
    pub(super) timezone: Tz,
    pub(super) org_id: Uuid,
    pub(super) account_sid: String,
    /// Time at which its numbers and assistants were set up.
    pub(super) since: DateTime<Utc>,
    assistant_ids: [Uuid; 4],
    pub(super) main_line: PhoneLine,
    pub(super) reminder_line: PhoneLine,
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

    pub(super) fn assistant(&self, role: Role) -> (Uuid, &'static AssistantProfile) {
        (self.assistant_ids[role as usize], &self.profile.assistants[role as usize])
    }
}

/// Returns a deterministic id (UUID version 5) for a seed, clinic and name.
fn stable_id(seed: u64, slug: &str, what: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("{seed}.{slug}.example.com/{what}").as_bytes())
}

/// Returns the public data of both clinics.
pub(super) fn clinics() -> [Clinic; 2] {
    [dental::PROFILE.clinic, physio::PROFILE.clinic]
}

/// Returns both clinics with the ids of a seed, set up at `since`.
pub(super) fn seeded_clinics(seed: u64, since: DateTime<Utc>) -> [SeededClinic; 2] {
    [&dental::PROFILE, &physio::PROFILE].map(|profile| SeededClinic::new(profile, seed, since))
}
