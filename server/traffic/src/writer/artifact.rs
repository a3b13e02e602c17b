//! The conversation so far, in the platform's format and in the model's.

use super::Writer;
use crate::decimal::seconds;
use crate::dialogue::{Act, ToolUse, Turn};
use crate::json::{Json, object};

impl Writer<'_> {
    /// Returns the `artifact` of a message sent during a conversation, `upto_ms` after its start.
    pub(super) fn artifact(self, upto_ms: i64) -> Json {
        object! {
            "messages" => self.messages(upto_ms),
            "messagesOpenAIFormatted" => self.model_messages(upto_ms),
        }
    }

    /// Returns `messages`, with the system prompt first.
    pub(super) fn messages(self, upto_ms: i64) -> Vec<Json> {
        let system = object! {
            "role" => "system",
            "message" => self.seeded_clinic.assistant(self.scenario.role).1.prompt,
            "time" => self.scenario.at(0).timestamp_millis(),
            "secondsFromStart" => 0,
        };
        let mut messages = vec![system];
        for turn in &self.scenario.dialogue.turns {
            match &turn.act {
                Act::Bot(utterance) if turn.to_ms <= upto_ms => {
                    messages.push(self.bot(turn, utterance));
                }
                Act::User(utterance) if turn.to_ms <= upto_ms => {
                    messages.push(self.user(turn, utterance));
                }
                Act::Tools(uses) if turn.from_ms <= upto_ms => {
                    messages.push(self.tool_calls(turn, uses));
                    if turn.to_ms <= upto_ms {
                        messages.extend(uses.iter().map(|each| self.tool_result(turn, each)));
                    }
                }
                _ => {}
            }
        }
        messages
    }

    /// Returns `messagesOpenAIFormatted`: the messages in the model's format.
    pub(super) fn model_messages(self, upto_ms: i64) -> Vec<Json> {
        let prompt = self.seeded_clinic.assistant(self.scenario.role).1.prompt;
        let mut messages = vec![object! { "role" => "system", "content" => prompt }];
        for turn in &self.scenario.dialogue.turns {
            match &turn.act {
                Act::Bot(utterance) if turn.to_ms <= upto_ms => {
                    messages
                        .push(object! { "role" => "assistant", "content" => utterance.as_str() });
                }
                Act::User(utterance) if turn.to_ms <= upto_ms => {
                    messages.push(object! { "role" => "user", "content" => utterance.as_str() });
                }
                Act::Tools(uses) if turn.from_ms <= upto_ms => {
                    let requested: Vec<Json> = uses.iter().map(in_text).collect();
                    messages.push(
                        object! { "role" => "assistant", "content" => "", "tool_calls" => requested },
                    );
                    if turn.to_ms <= upto_ms {
                        messages.extend(uses.iter().map(|each| {
                            object! {
                                "role" => "tool",
                                "tool_call_id" => each.id.as_str(),
                                "content" => each.result.as_str(),
                            }
                        }));
                    }
                }
                _ => {}
            }
        }
        messages
    }

    fn bot(self, turn: &Turn, utterance: &str) -> Json {
        let turn_message = self.turn_message("bot", turn, utterance);
        let turn_message =
            if self.scenario.older { turn_message } else { self.lasting(turn_message, turn) };
        turn_message.with("source", "")
    }

    fn user(self, turn: &Turn, utterance: &str) -> Json {
        self.lasting(self.turn_message("user", turn, utterance), turn)
    }

    fn turn_message(self, role: &str, turn: &Turn, utterance: &str) -> Json {
        object! {
            "role" => role,
            "message" => utterance,
            "time" => self.scenario.at(turn.from_ms).timestamp_millis(),
            "endTime" => self.scenario.at(turn.to_ms).timestamp_millis(),
            "secondsFromStart" => seconds(turn.from_ms),
        }
    }

    /// Adds the duration: in seconds in the format of 2024, in milliseconds otherwise.
    fn lasting(self, turn_message: Json, turn: &Turn) -> Json {
        let took_ms = turn.to_ms - turn.from_ms;
        if self.scenario.older {
            turn_message.with("duration", seconds(took_ms))
        } else {
            turn_message.with("duration", took_ms)
        }
    }

    fn tool_calls(self, turn: &Turn, uses: &[ToolUse]) -> Json {
        object! {
            "role" => "tool_calls",
            "message" => "",
            "toolCalls" => uses.iter().map(in_text).collect::<Vec<_>>(),
            "time" => self.scenario.at(turn.from_ms).timestamp_millis(),
            "secondsFromStart" => seconds(turn.from_ms),
        }
    }

    fn tool_result(self, turn: &Turn, each: &ToolUse) -> Json {
        object! {
            "role" => "tool_call_result",
            "time" => self.scenario.at(turn.to_ms).timestamp_millis(),
            "secondsFromStart" => seconds(turn.to_ms),
            "name" => each.tool.name(),
            "result" => each.result.as_str(),
            "toolCallId" => each.id.as_str(),
        }
    }
}

/// Returns a tool call as a conversation records it, with the arguments as JSON in a string.
pub(super) fn in_text(each: &ToolUse) -> Json {
    tool_call(each, each.arguments.to_text().into())
}

/// Returns a tool call with its arguments in the given form.
pub(super) fn tool_call(each: &ToolUse, arguments: Json) -> Json {
    object! {
        "id" => each.id.as_str(),
        "type" => "function",
        "function" => object! { "name" => each.tool.name(), "arguments" => arguments },
    }
}
