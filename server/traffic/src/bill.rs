//! Cost of a generated call, in integer nano-dollars.
//!
//! Entries of `costs[]` are exact, `cost` is their sum rounded half up to four decimals, and the
//! parts of `costBreakdown` are rounded by largest remainder, so that they add up to `cost`
//! exactly.

use crate::decimal::{FOURTH_DECIMAL, dollars, minutes};
use crate::dialogue::{Act, Dialogue};
use crate::json::{Json, object};
use crate::rng::SeededRng;
use crate::seeded_clinic::{AssistantProfile, Carrier};

/// Field of the breakdown to which an entry is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Transport,
    Stt,
    Llm,
    Tts,
    Vapi,
    VoicemailDetection,
    Summary,
    StructuredData,
    SuccessEvaluation,
}

const PARTS: usize = Part::SuccessEvaluation as usize + 1;

/// One entry of `costs[]`: its members without `cost`, which is written last.
#[derive(Debug, Clone)]
struct Entry {
    part: Part,
    nanos: i64,
    members: Json,
}

/// Quantities that are charged by usage.
#[derive(Debug, Clone, Copy, Default)]
struct UsageTotals {
    prompt_tokens: i64,
    completion_tokens: i64,
    characters: i64,
}

/// Costs of a call. The default is a call that was not charged.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bill {
    entries: Vec<Entry>,
    usage: UsageTotals,
}

/// Inputs of a bill other than the dialogue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) assistant: &'static AssistantProfile,
    /// Carrier of the line; `None` for web calls.
    pub(crate) carrier: Option<Carrier>,
    pub(crate) outbound: bool,
    pub(crate) voicemail: bool,
    pub(crate) talk_ms: i64,
}

const PLATFORM_MINUTE: i64 = 50_000_000;
const TWILIO_INBOUND_MINUTE: i64 = 8_500_000;
const TWILIO_OUTBOUND_MINUTE: i64 = 14_000_000;
const PLATFORM_OUTBOUND_MINUTE: i64 = 5_000_000;
const ANALYSIS_PROMPT_TOKEN: i64 = 150;
const ANALYSIS_COMPLETION_TOKEN: i64 = 600;

impl Bill {
    /// Computes the costs of a call from its dialogue.
    pub(crate) fn new(terms: Terms, dialogue: &Dialogue) -> Self {
        let usage = UsageTotals::of(terms.assistant, dialogue);
        let mut bill = Self { entries: Vec::new(), usage };
        bill.charge_transport(terms);
        bill.charge_assistant(terms);
        bill.charge_platform(terms);
        bill.charge_analysis(Part::Summary, "summary", usage.characters / 3 + 160, 42);
        bill.charge_analysis(
            Part::SuccessEvaluation,
            "successEvaluation",
            usage.characters / 3 + 251,
            1,
        );
        bill
    }

    /// Returns the stated total in nano-dollars, a multiple of a ten-thousandth of a dollar.
    pub(crate) fn total_nanos(&self) -> i64 {
        let exact: i64 = self.entries.iter().map(|entry| entry.nanos).sum();
        (exact + FOURTH_DECIMAL / 2) / FOURTH_DECIMAL * FOURTH_DECIMAL
    }

    /// Returns a corrected bill, with an additional analysis or fewer platform minutes. The total
    /// differs from this bill's for every call of ten seconds or more.
    pub(crate) fn revised(&self, rng: &mut SeededRng) -> Self {
        let mut revised = self.clone();
        if rng.chance(60) {
            let prompt_tokens = rng.between(4_000..=19_000);
            revised.charge_analysis(Part::StructuredData, "structuredData", prompt_tokens, 180);
        } else {
            let kept = rng.between(55..=80);
            for entry in revised.entries.iter_mut().filter(|entry| entry.part == Part::Vapi) {
                entry.nanos = entry.nanos * kept / 100;
            }
        }
        revised
    }

    /// Returns the `costs` array of the report.
    pub(crate) fn costs(&self) -> Json {
        let entries = self.entries.iter();
        Json::List(
            entries.map(|entry| entry.members.clone().with("cost", dollars(entry.nanos))).collect(),
        )
    }

    /// Returns the `costBreakdown` object of the report.
    pub(crate) fn breakdown(&self) -> Json {
        let shares = self.shares();
        let share = |part: Part| dollars(shares[part as usize]);
        let (transport, voicemail) = (share(Part::Transport), share(Part::VoicemailDetection));
        object! {
            "transport" => transport,
            "stt" => share(Part::Stt),
            "llm" => share(Part::Llm),
            "tts" => share(Part::Tts),
            "vapi" => share(Part::Vapi),
            "chat" => 0,
            "total" => dollars(self.total_nanos()),
            "llmPromptTokens" => self.usage.prompt_tokens,
            "llmCompletionTokens" => self.usage.completion_tokens,
            "llmCachedPromptTokens" => 0,
            "ttsCharacters" => self.usage.characters,
            "voicemailDetectionCost" => voicemail,
            "knowledgeBaseCost" => 0,
            "analysisCostBreakdown" => object! {
                "summary" => share(Part::Summary),
                "structuredData" => share(Part::StructuredData),
                "successEvaluation" => share(Part::SuccessEvaluation),
            },
        }
    }

    /// Returns the parts, rounded to four decimals by largest remainder: each is rounded down, and
    /// the missing units are added to those with the largest loss.
    fn shares(&self) -> [i64; PARTS] {
        let mut exact = [0; PARTS];
        for entry in &self.entries {
            exact[entry.part as usize] += entry.nanos;
        }
        let mut shares = exact.map(|nanos| nanos / FOURTH_DECIMAL * FOURTH_DECIMAL);
        let mut missing = self.total_nanos() - shares.iter().sum::<i64>();
        let mut by_loss: Vec<usize> = (0..PARTS).collect();
        by_loss.sort_by_key(|part| shares[*part] - exact[*part]);
        for part in by_loss {
            if missing > 0 {
                shares[part] += FOURTH_DECIMAL;
                missing -= FOURTH_DECIMAL;
            }
        }
        shares
    }

    fn charge(&mut self, part: Part, nanos: i64, members: Json) {
        self.entries.push(Entry { part, nanos, members });
    }

    fn charge_transport(&mut self, terms: Terms) {
        let Some(carrier) = terms.carrier else { return };
        let (provider, minute) = match (carrier, terms.outbound) {
            (Carrier::Twilio, false) => ("twilio", TWILIO_INBOUND_MINUTE),
            (Carrier::Twilio, true) => ("twilio", TWILIO_OUTBOUND_MINUTE),
            (Carrier::Platform, false) => ("vapi", 0),
            (Carrier::Platform, true) => ("vapi", PLATFORM_OUTBOUND_MINUTE),
        };
        let members = object! {
            "type" => "transport", "provider" => provider, "minutes" => minutes(terms.talk_ms),
        };
        self.charge(Part::Transport, by_the_minute(minute, terms.talk_ms), members);
    }

    fn charge_assistant(&mut self, terms: Terms) {
        let AssistantProfile { model, voice, transcriber, .. } = terms.assistant;
        let recognizer =
            object! { "provider" => transcriber.provider, "model" => transcriber.model };
        self.charge(
            Part::Stt,
            by_the_minute(transcriber.minute_nanos, terms.talk_ms),
            object! {
                "type" => "transcriber", "transcriber" => recognizer, "minutes" => minutes(terms.talk_ms),
            },
        );
        let UsageTotals { prompt_tokens, completion_tokens, characters } = self.usage;
        self.charge(
            Part::Llm,
            prompt_tokens * model.prompt_nanos + completion_tokens * model.completion_nanos,
            object! {
                "type" => "model",
                "model" => object! { "provider" => model.provider, "model" => model.name },
                "promptTokens" => prompt_tokens,
                "completionTokens" => completion_tokens,
            },
        );
        self.charge(
            Part::Tts,
            characters * voice.character_nanos,
            object! {
                "type" => "voice",
                "voice" => object! {
                    "provider" => voice.provider, "voiceId" => voice.id, "model" => voice.model,
                },
                "characters" => characters,
            },
        );
    }

    fn charge_platform(&mut self, terms: Terms) {
        self.charge(
            Part::Vapi,
            by_the_minute(PLATFORM_MINUTE, terms.talk_ms),
            object! {
                "type" => "vapi", "subType" => "normal", "minutes" => minutes(terms.talk_ms),
            },
        );
        if terms.voicemail {
            self.charge(
                Part::VoicemailDetection,
                3_127_500,
                object! {
                    "type" => "voicemail-detection", "provider" => "openai",
                    "promptTextTokens" => 310, "promptAudioTokens" => 288,
                    "completionTextTokens" => 14, "completionAudioTokens" => 0,
                },
            );
        }
    }

    fn charge_analysis(&mut self, part: Part, kind: &str, prompt_tokens: i64, answer_tokens: i64) {
        self.charge(
            part,
            prompt_tokens * ANALYSIS_PROMPT_TOKEN + answer_tokens * ANALYSIS_COMPLETION_TOKEN,
            object! {
                "type" => "analysis",
                "analysisType" => kind,
                "model" => object! { "provider" => "google", "model" => "gemini-2.5-flash" },
                "promptTokens" => prompt_tokens,
                "completionTokens" => answer_tokens,
            },
        );
    }
}

impl UsageTotals {
    /// Counts tokens and characters. Before each turn the model reads the prompt and the whole
    /// dialogue so far; a token is about four letters.
    fn of(assistant: &AssistantProfile, dialogue: &Dialogue) -> Self {
        let mut usage = Self::default();
        let mut read = letters(assistant.prompt);
        for turn in &dialogue.turns {
            match &turn.act {
                Act::Bot(utterance) => {
                    usage.prompt_tokens += read / 4;
                    usage.completion_tokens += letters(utterance) / 4;
                    usage.characters += letters(utterance);
                    read += letters(utterance);
                }
                Act::User(utterance) => read += letters(utterance),
                Act::Tools(uses) => {
                    read += uses.iter().map(|each| letters(&each.result)).sum::<i64>();
                }
            }
        }
        usage
    }
}

fn letters(text: &str) -> i64 {
    i64::try_from(text.chars().count()).expect("a text in memory is shorter than an i64 counts")
}

fn by_the_minute(nanos: i64, ms: i64) -> i64 {
    nanos * ms / 60_000
}
