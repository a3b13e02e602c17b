//! The two clinics as the voice platform knows them: assistants, phone lines and their ids.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::Clinic;
use super::lines::Topic;
use super::people::Numbering;

mod dental;
mod physio;

/// What stays the same whatever the seed.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) clinic: Clinic,
    pub(super) numbering: Numbering,
    pub(super) street: &'static str,
    pub(super) hours: &'static str,
    pub(super) services: &'static [Service],
    pub(super) staff: &'static [&'static str],
    pub(super) insurers: &'static [&'static str],
    /// What callers ask the clinicians.
    pub(super) clinical: &'static Topic,
    /// In the order of [`Role`].
    pub(super) assistants: [AssistantProfile; 4],
    /// Where calls come in: E.164, in a range kept for fiction.
    pub(super) main_number: &'static str,
    /// Where reminders come from.
    pub(super) reminder_number: &'static str,
    /// The front desk, where calls are put through to.
    pub(super) desk_number: &'static str,
}

/// Something a clinic does for a patient.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) code: &'static str,
    /// As it is said in a sentence.
    pub(super) phrase: &'static str,
    /// As it is quoted, with its currency.
    pub(super) price: &'static str,
    pub(super) minutes: u32,
}

/// Which calls an assistant takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    FrontDesk,
    AfterHours,
    Reminders,
    Website,
}

/// An assistant and what its parts cost.
#[derive(Debug)]
pub(super) struct AssistantProfile {
    /// The voice introduces itself with the first word.
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

/// A language model. Prices are nano-dollars a token.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) provider: &'static str,
    pub(super) name: &'static str,
    pub(super) prompt_nanos: i64,
    pub(super) completion_nanos: i64,
}

/// A voice. The price is nano-dollars a character; zero when the clinic brings its own key.
#[derive(Debug)]
pub(super) struct Voice {
    pub(super) provider: &'static str,
    pub(super) id: &'static str,
    pub(super) model: &'static str,
    pub(super) character_nanos: i64,
}

/// A recogniser. The price is nano-dollars a minute.
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

/// Who owns the number the call goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    Twilio,
    Platform,
}

/// One of a clinic's phone numbers.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: Uuid,
    pub(super) name: &'static str,
    pub(super) number: &'static str,
    pub(super) carrier: Carrier,
}

/// A clinic with the ids that one seed gives it.
#[derive(Debug)]
pub(super) struct Practice {
    pub(super) profile: &'static Profile,
    pub(super) timezone: Tz,
    pub(super) org_id: Uuid,
    pub(super) account_sid: String,
    /// When its numbers and assistants were set up.
    pub(super) since: DateTime<Utc>,
    assistant_ids: [Uuid; 4],
    pub(super) main_line: Line,
    pub(super) reminder_line: Line,
}

impl Practice {
    fn new(profile: &'static Profile, seed: u64, since: DateTime<Utc>) -> Self {
        let id = |what: &str| stable_id(seed, profile.clinic.slug, what);
        Self {
            profile,
            timezone: profile.clinic.timezone.parse().expect("the profiles name IANA time zones"),
            org_id: id("organisation"),
            account_sid: format!("AC{}", id("carrier account").simple()),
            since,
            assistant_ids: profile.assistants.each_ref().map(|assistant| id(assistant.name)),
            main_line: Line {
                id: id("main line"),
                name: "Main line",
                number: profile.main_number,
                carrier: Carrier::Twilio,
            },
            reminder_line: Line {
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

/// The same name under the same seed is the same id.
fn stable_id(seed: u64, slug: &str, what: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("{seed}.{slug}.example.com/{what}").as_bytes())
}

/// The clinics' public faces.
pub(super) fn clinics() -> [Clinic; 2] {
    [dental::PROFILE.clinic, physio::PROFILE.clinic]
}

/// Both clinics under one seed, set up at `since`.
pub(super) fn practices(seed: u64, since: DateTime<Utc>) -> [Practice; 2] {
    [&dental::PROFILE, &physio::PROFILE].map(|profile| Practice::new(profile, seed, since))
}
