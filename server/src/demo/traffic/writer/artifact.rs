//! The conversation so far, in the platform's format and in the model's.

use super::super::decimal::seconds;
use super::super::dialogue::{Act, ToolUse, Turn};
use super::super::json::{Json, object};
use super::Writer;

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
            "message" => self.practice.assistant(self.story.role).1.prompt,
            "time" => self.story.at(0).timestamp_millis(),
            "secondsFromStart" => 0,
        };
        let mut messages = vec![system];
        for turn in &self.story.dialogue.turns {
            match &turn.act {
                Act::Bot(said) if turn.to_ms <= upto_ms => messages.push(self.bot(turn, said)),
                Act::User(said) if turn.to_ms <= upto_ms => messages.push(self.user(turn, said)),
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
        let prompt = self.practice.assistant(self.story.role).1.prompt;
        let mut messages = vec![object! { "role" => "system", "content" => prompt }];
        for turn in &self.story.dialogue.turns {
            match &turn.act {
                Act::Bot(said) if turn.to_ms <= upto_ms => {
                    messages.push(object! { "role" => "assistant", "content" => said.as_str() });
                }
                Act::User(said) if turn.to_ms <= upto_ms => {
                    messages.push(object! { "role" => "user", "content" => said.as_str() });
                }
                Act::Tools(uses) if turn.from_ms <= upto_ms => {
                    let asked: Vec<Json> = uses.iter().map(in_text).collect();
                    messages.push(
                        object! { "role" => "assistant", "content" => "", "tool_calls" => asked },
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

    fn bot(self, turn: &Turn, said: &str) -> Json {
        let spoken = self.spoken("bot", turn, said);
        let spoken = if self.story.older { spoken } else { self.lasting(spoken, turn) };
        spoken.with("source", "")
    }

    fn user(self, turn: &Turn, said: &str) -> Json {
        self.lasting(self.spoken("user", turn, said), turn)
    }

    fn spoken(self, role: &str, turn: &Turn, said: &str) -> Json {
        object! {
            "role" => role,
            "message" => said,
            "time" => self.story.at(turn.from_ms).timestamp_millis(),
            "endTime" => self.story.at(turn.to_ms).timestamp_millis(),
            "secondsFromStart" => seconds(turn.from_ms),
        }
    }

    /// Adds the duration: in seconds in the format of 2024, in milliseconds otherwise.
    fn lasting(self, spoken: Json, turn: &Turn) -> Json {
        let took_ms = turn.to_ms - turn.from_ms;
        if self.story.older {
            spoken.with("duration", seconds(took_ms))
        } else {
            spoken.with("duration", took_ms)
        }
    }

    fn tool_calls(self, turn: &Turn, uses: &[ToolUse]) -> Json {
        object! {
            "role" => "tool_calls",
            "message" => "",
            "toolCalls" => uses.iter().map(in_text).collect::<Vec<_>>(),
            "time" => self.story.at(turn.from_ms).timestamp_millis(),
            "secondsFromStart" => seconds(turn.from_ms),
        }
    }

    fn tool_result(self, turn: &Turn, each: &ToolUse) -> Json {
        object! {
            "role" => "tool_call_result",
            "time" => self.story.at(turn.to_ms).timestamp_millis(),
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
