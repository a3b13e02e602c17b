//! Generates a dialogue with its timing: scripts performed at the pace of speech.
//!
//! All times are milliseconds after the call was answered.

use crate::context::CallContext;
use crate::json::Json;
use crate::rng::SeededRng;
use crate::scripts::{Script, ScriptStep};
use crate::seeded_clinic::Model;
use crate::tools::Tool;

/// An utterance or a group of tool calls in a dialogue.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) act: Act,
}

#[derive(Debug)]
pub(crate) enum Act {
    Bot(String),
    User(String),
    /// Tools called together; their results are available at `to_ms`.
    Tools(Vec<ToolUse>),
}

/// A single call of a tool.
#[derive(Debug)]
pub(crate) struct ToolUse {
    /// Id of the tool call, unique within the call only.
    pub(crate) id: String,
    pub(crate) tool: Tool,
    pub(crate) arguments: Json,
    pub(crate) result: String,
}

/// Turns of a call, in order of time.
#[derive(Debug, Default)]
pub(crate) struct Dialogue {
    pub(crate) turns: Vec<Turn>,
}

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Builds a dialogue by performing the steps of scripts one after another.
pub(crate) struct Performance<'a> {
    context: &'a CallContext,
    model: &'static Model,
    rng: &'a mut SeededRng,
    /// Duration of speech relative to the average, in percent.
    pace: i64,
    /// Probability of a long pause of the caller, in percent.
    distraction: u32,
    now_ms: i64,
    tool_call_count: u8,
    dialogue: Dialogue,
}

impl<'a> Performance<'a> {
    pub(crate) fn new(
        context: &'a CallContext,
        model: &'static Model,
        rng: &'a mut SeededRng,
    ) -> Self {
        let pace = rng.between(85..=165);
        let distraction = rng.weighted(&[(60, 4), (24, 14), (10, 45), (6, 95)]);
        Self {
            context,
            model,
            rng,
            pace,
            distraction,
            now_ms: 0,
            tool_call_count: 0,
            dialogue: Dialogue::default(),
        }
    }

    /// Adds the assistant's first message.
    pub(crate) fn open(&mut self, line: &str) {
        self.bot(line);
    }

    pub(crate) fn script(&mut self, script: Script) {
        for step in script {
            self.step(*step);
        }
    }

    pub(crate) fn step(&mut self, step: ScriptStep) {
        match step {
            ScriptStep::Bot(lines) => {
                let line = self.rng.one(lines);
                self.bot(line);
            }
            ScriptStep::User(lines) => {
                let line = self.rng.one(lines);
                self.user(line);
            }
            ScriptStep::Tools(tools) => self.tools(tools),
        }
    }

    pub(crate) fn end(self) -> Dialogue {
        self.dialogue
    }

    fn bot(&mut self, line: &str) {
        self.now_ms += self.rng.between(700..=1_900);
        let utterance = self.context.fill(line);
        let took_ms = self.speech_ms(&utterance);
        self.push(took_ms, Act::Bot(utterance));
    }

    fn user(&mut self, line: &str) {
        let distracted = self.rng.chance(self.distraction);
        self.now_ms += self.rng.between(if distracted { 6_000..=29_000 } else { 400..=1_700 });
        let utterance = self.context.fill(line);
        let took_ms = self.speech_ms(&utterance);
        self.push(took_ms, Act::User(utterance));
    }

    fn tools(&mut self, tools: &[Tool]) {
        self.now_ms += self.rng.between(250..=900);
        let uses = tools
            .iter()
            .map(|tool| ToolUse {
                id: self.tool_call_id(),
                tool: *tool,
                arguments: tool.arguments(self.context),
                result: tool.result(self.context),
            })
            .collect();
        let took_ms = self.rng.between(380..=2_600);
        self.push(took_ms, Act::Tools(uses));
    }

    /// Draws a tool call id. Some hosts give ids of four characters, which may repeat in other
    /// calls; the last letter makes them unique within this call.
    fn tool_call_id(&mut self) -> String {
        let length = if self.model.provider == "groq" { 3 } else { 23 };
        let last = char::from(b'a' + self.tool_call_count % 26);
        self.tool_call_count += 1;
        format!("call_{}{last}", self.rng.word(length, ALPHANUMERIC))
    }

    fn speech_ms(&self, utterance: &str) -> i64 {
        let letters = i64::try_from(utterance.chars().count()).expect("a line is short");
        (letters * 68 * self.pace / 100).max(500)
    }

    fn push(&mut self, took_ms: i64, act: Act) {
        let from_ms = self.now_ms;
        self.now_ms += took_ms;
        self.dialogue.turns.push(Turn { from_ms, to_ms: self.now_ms, act });
    }
}

impl Dialogue {
    /// Returns the end of the last turn, or 0 without turns.
    pub(crate) fn end_ms(&self) -> i64 {
        self.turns.last().map_or(0, |turn| turn.to_ms)
    }

    /// Drops the turns that end after `ms`.
    pub(crate) fn cut_at(&mut self, ms: i64) {
        self.turns.retain(|turn| turn.to_ms <= ms);
    }

    /// Returns the transcript in the platform's format, one line per turn.
    pub(crate) fn transcript(&self) -> String {
        let mut out = String::new();
        for turn in &self.turns {
            match &turn.act {
                Act::Bot(utterance) => out.extend(["AI: ", utterance, "\n"]),
                Act::User(utterance) => out.extend(["User: ", utterance, "\n"]),
                Act::Tools(_) => {}
            }
        }
        out
    }

    pub(crate) fn tool_uses(&self) -> impl Iterator<Item = &ToolUse> {
        self.turns.iter().flat_map(|turn| match &turn.act {
            Act::Tools(uses) => uses.as_slice(),
            Act::Bot(_) | Act::User(_) => &[],
        })
    }
}
