//! The conversations of the person: a row of `calls.csv` each, and a text with what was said.

use ledger_core::call::Call;
use ledger_core::ids::{Position, TenantId};
use ledger_core::personal::{Annotation, Conversation, ToolIo};
use ledger_store::read::at_positions;
use ledger_store::{Store, TenantTx};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::about::About;
use super::error::AccessExportError;
use super::events::{OpenSection, open};
use super::text::Text;

/// A conversation, without personal data.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CallSummary {
    call_id: Uuid,
    kind: String,
    provider: String,
    provider_call_id: String,
    direction: Option<String>,
    status: Option<String>,
    outcome: Option<&'static str>,
    started_at: Option<String>,
    ended_at: Option<String>,
    duration_ms: Option<i64>,
    tags: Vec<String>,
    /// The file with what was said; absent if nothing was recorded that belongs to the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transcript: Option<String>,
    /// Positions of the events with what was said and added, and the names of parts of a report.
    #[serde(skip)]
    parts: Vec<(String, Position)>,
    #[serde(skip)]
    positions: Vec<i64>,
}

/// The columns of `calls.csv`.
pub(super) const COLUMNS: [&str; 12] = [
    "call_id",
    "kind",
    "provider",
    "provider_call_id",
    "direction",
    "status",
    "outcome",
    "started_at",
    "ended_at",
    "duration_ms",
    "tags",
    "transcript",
];

/// The stored word of a value.
pub(super) fn word(value: impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

impl CallSummary {
    pub(super) fn of(call_id: Uuid, kind: &str, call: &Call) -> Self {
        let time = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(|at| at.to_rfc3339());
        let parts: Vec<_> =
            call.conversation().into_iter().map(|(name, at)| (name.to_owned(), at)).collect();
        let tools = call.tool_calls();
        let tools = tools.iter().flat_map(|tool| tool.io.iter().map(|io| io.position));
        let mut positions: Vec<i64> = parts
            .iter()
            .map(|(_, at)| *at)
            .chain(call.turns())
            .chain(call.recordings())
            .chain(call.annotation_texts())
            .chain(tools)
            .map(|Position(position)| position)
            .collect();
        positions.sort_unstable();
        positions.dedup();
        Self {
            call_id,
            kind: kind.to_owned(),
            provider: call.provider.clone(),
            provider_call_id: call.provider_call_id.clone(),
            direction: call.direction().and_then(word),
            status: call.status().and_then(word),
            outcome: call.outcome().map(ledger_core::call::Outcome::as_str),
            started_at: time(call.started_at()),
            ended_at: time(call.ended_at()),
            duration_ms: call.duration_ms(),
            tags: call.tags().into_iter().map(str::to_owned).collect(),
            transcript: None,
            parts,
            positions,
        }
    }

    /// The cells of its row.
    pub(super) fn cells(&self) -> [String; 12] {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        [
            self.call_id.to_string(),
            self.kind.clone(),
            self.provider.clone(),
            self.provider_call_id.clone(),
            text(self.direction.as_deref()),
            text(self.status.as_deref()),
            text(self.outcome),
            text(self.started_at.as_deref()),
            text(self.ended_at.as_deref()),
            self.duration_ms.map(|ms| ms.to_string()).unwrap_or_default(),
            self.tags.join(" "),
            text(self.transcript.as_deref()),
        ]
    }

    /// The voice platform.
    pub(super) fn provider(&self) -> String {
        self.provider.clone()
    }

    /// Name of the file with what was said.
    pub(super) fn file(&self) -> String {
        format!("transcripts/{}.txt", self.call_id)
    }
}

/// Writes what was said in a conversation; `None` if nothing of it belongs to the person.
pub(super) async fn text_of(
    store: &Store,
    tenant_id: TenantId,
    about: &About,
    call: &CallSummary,
) -> Result<Option<Text>, AccessExportError> {
    let mut spoken = Spoken::default();
    // One event at a time: a report may have megabytes.
    for position in &call.positions {
        let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
        let events = at_positions(&mut tx, &[*position]).await?;
        drop(tx);
        for event in events.iter().filter(|event| event.position <= about.head.0) {
            for section in open(store, tenant_id, about, event).await?.sections {
                spoken.take(call, event.position, &section);
            }
        }
    }
    Ok(spoken.into_text(call))
}

/// The parts of a text, in the order of the text.
#[derive(Default)]
struct Spoken {
    summary: Option<String>,
    transcript: Option<String>,
    turns: Vec<(String, String)>,
    tools: Vec<ToolIo>,
    notes: Vec<Annotation>,
    recordings: Vec<String>,
}

fn parse<T: DeserializeOwned>(section: &OpenSection) -> Option<T> {
    serde_json::from_slice(&section.plain).ok()
}

impl Spoken {
    fn take(&mut self, call: &CallSummary, position: i64, section: &OpenSection) {
        match section.name {
            "conversation" => {
                let Some(conversation) = parse::<Conversation>(section) else { return };
                self.take_conversation(call, position, conversation);
            }
            "tool_io" => self.tools.extend(parse::<Vec<ToolIo>>(section).unwrap_or_default()),
            "annotation" => self.notes.extend(parse::<Annotation>(section)),
            _ => {}
        }
    }

    /// Takes the parts of which this event has the valid value.
    fn take_conversation(&mut self, call: &CallSummary, position: i64, said: Conversation) {
        let is_valid = |part: &str| {
            let valid = call.parts.iter().find(|(name, _)| name == part);
            valid.is_none_or(|(_, at)| at.0 == position)
        };
        if is_valid("summary") {
            self.summary = self.summary.take().or(said.summary);
        }
        if is_valid("transcript") {
            self.transcript = self.transcript.take().or(said.transcript);
        }
        if is_valid("messages") {
            self.turns.extend(said.messages.into_iter().map(|turn| (turn.role, turn.text)));
        }
        self.recordings.extend(said.recordings.into_iter().map(|recording| recording.url));
    }

    fn into_text(self, call: &CallSummary) -> Option<Text> {
        let mut text = Text::new(&format!("{} {}", call.kind, call.call_id));
        text.field("Provider", Some(&call.provider));
        text.field("Started", call.started_at.as_deref());
        text.field("Ended", call.ended_at.as_deref());
        let begins = text.len();
        text.part("Summary, written by a model of the provider", self.summary.as_deref());
        text.part("Transcript", self.transcript.as_deref());
        if self.transcript.is_none() && !self.turns.is_empty() {
            text.heading("Transcript");
            self.turns.iter().for_each(|(role, said)| text.line(&format!("{role}: {said}")));
        }
        for tool in &self.tools {
            text.heading("Tool call");
            for (name, value) in [("arguments", &tool.arguments), ("result", &tool.result)] {
                if let Some(value) = value {
                    text.line(&format!("{name}: {value}"));
                }
            }
        }
        for note in &self.notes {
            text.part("Note", note.text.as_deref());
            for (name, value) in &note.context {
                text.line(&format!("{name}: {value}"));
            }
        }
        if !self.recordings.is_empty() {
            text.heading("Recordings, stored by the provider");
            self.recordings.iter().for_each(|url| text.line(url));
        }
        (text.len() > begins).then_some(text)
    }
}
