//! The envelope of a message: lookup of the message, the call and each field in a body.
//!
//! A field may have values in several places. The order of precedence is the message itself, then
//! its `artifact` and `analysis`, then `message.call`, a snapshot as old as the call. A non-empty
//! value has precedence over an empty one (captured reports have `"messages": []` next to the real
//! list).

use crate::identity::is_placeholder_id;
use crate::json::{Json, fact_text};
use crate::plausible::FieldValue;
use crate::provider::TranslateError;

/// Kind of a body from `GET /call/{id}`, which has no message type of its own.
pub(super) const CALL_OBJECT: &str = "call-object";

/// Kind of a message with a call and without a type.
pub(super) const UNTYPED: &str = "untyped";

const NO_MESSAGE: TranslateError = TranslateError::UnrecognizedMessage(
    "expected a Vapi message: an object with a type, a call, tool calls or a function",
);

/// A parsed message with the places of its fields.
#[derive(Debug)]
pub(super) struct Message<'m> {
    /// Message type, or a name of this module for a message without a type.
    pub(super) kind: String,
    /// The whole body.
    outer: &'m Json<'m>,
    /// The current data: `message`, or the body if it has no wrapper.
    inner: &'m Json<'m>,
    /// The call object; `None` if the message has none.
    call: Option<&'m Json<'m>>,
}

impl<'m> Message<'m> {
    /// Finds the message in a body.
    ///
    /// # Errors
    /// [`TranslateError::UnrecognizedMessage`] if nothing in the body can be from Vapi.
    pub(super) fn parse(body: &'m Json<'m>) -> Result<Self, TranslateError> {
        if !body.is_object() {
            return Err(NO_MESSAGE);
        }
        let inner = body.get("message").filter(|message| message.is_object()).unwrap_or(body);
        let call = [inner, body].into_iter().find_map(|place| place.get("call").and_then(object));
        let mut message = Self { kind: String::new(), outer: body, inner, call };
        message.kind = message.find_kind().ok_or(NO_MESSAGE)?;
        if message.is_call_object() {
            message.call = Some(inner);
        }
        Ok(message)
    }

    fn find_kind(&self) -> Option<String> {
        let stated =
            self.message_field("type", text).or_else(|| self.message_field("messageType", text));
        let is_call_object =
            self.call.is_none() && stated.is_some_and(|kind| direction_word(kind).is_some());
        let kind = match stated.map(fact_text).filter(|kind| !kind.is_empty()) {
            _ if is_call_object => CALL_OBJECT.to_owned(),
            Some(kind) => kind,
            None if self.has_tool_calls() => "tool-calls".to_owned(),
            None if self.message_field("functionCall", object).is_some() => {
                "function-call".to_owned()
            }
            None if self.message_field("function", filled).is_some() => "function-call".to_owned(),
            None if self.call.is_some_and(Json::is_filled) => UNTYPED.to_owned(),
            None => return None,
        };
        Some(kind)
    }

    fn has_tool_calls(&self) -> bool {
        ["toolCallList", "toolWithToolCallList", "toolCalls", "toolCall"]
            .iter()
            .any(|key| self.message_field(key, filled).is_some())
    }

    /// Returns the kind without a condition: `transcript` for `transcript[transcriptType="final"]`.
    pub(super) fn base_kind(&self) -> &str {
        self.kind.split('[').next().unwrap_or_default()
    }

    /// Returns true for a call object of the API. Its data are as of its `updatedAt`.
    pub(super) fn is_call_object(&self) -> bool {
        self.kind == CALL_OBJECT
    }

    /// Returns the message and the body around it.
    pub(super) fn message_objects(&self) -> [&'m Json<'m>; 2] {
        [self.inner, self.outer]
    }

    /// Looks up a field in the message, then in the body around it.
    pub(super) fn message_field<T>(
        &self,
        key: &str,
        read: impl Fn(&'m Json<'m>) -> Option<T>,
    ) -> Option<T> {
        first_present(self.message_objects().map(Some), key, &read)
    }

    /// Looks up a field in the call object.
    pub(super) fn call_field<T>(
        &self,
        key: &str,
        read: impl Fn(&'m Json<'m>) -> Option<T>,
    ) -> Option<T> {
        first_present([self.call], key, &read)
    }

    /// Looks up a field in all places by precedence. Returns the first non-empty value that `read`
    /// accepts.
    pub(super) fn lookup<T>(
        &self,
        key: &str,
        read: impl Fn(&'m Json<'m>) -> Option<T>,
    ) -> Option<T> {
        first_present(self.lookup_order(), key, &read)
    }

    /// Looks up a field in the given places. Returns the first plausible value, else
    /// [`FieldValue::Implausible`] if there was an implausible one.
    pub(super) fn lookup_value<T>(
        places: impl IntoIterator<Item = Option<&'m Json<'m>>>,
        key: &str,
        read: impl Fn(&'m Json<'m>) -> FieldValue<T>,
    ) -> FieldValue<T> {
        let values = places.into_iter().flatten().filter_map(|place| place.get(key));
        let mut found = FieldValue::Absent;
        for value in values.filter(|value| value.is_filled()) {
            match read(value) {
                FieldValue::Plausible(value) => return FieldValue::Plausible(value),
                FieldValue::Implausible => found = FieldValue::Implausible,
                FieldValue::Absent => {}
            }
        }
        found
    }

    /// Returns the call object.
    pub(super) fn call(&self) -> Option<&'m Json<'m>> {
        self.call
    }

    /// Returns all places of a field, by precedence.
    pub(super) fn lookup_order(&self) -> [Option<&'m Json<'m>>; 7] {
        let part = |whole: Option<&'m Json<'m>>, key| whole.and_then(|whole| whole.get(key));
        [
            Some(self.inner),
            Some(self.outer),
            part(Some(self.inner), "artifact"),
            part(Some(self.inner), "analysis"),
            self.call,
            part(self.call, "artifact"),
            part(self.call, "analysis"),
        ]
    }

    /// Returns the places of costs: the message, the body around it, the call.
    pub(super) fn cost_objects(&self) -> [Option<&'m Json<'m>>; 3] {
        [Some(self.inner), Some(self.outer), self.call]
    }

    /// Returns all logs of the conversation, best first: Vapi's own, then a log inside the
    /// transcript, then the copies for language models.
    pub(super) fn logs(&self) -> impl Iterator<Item = &'m [Json<'m>]> {
        const PATHS: [&[&str]; 4] = [
            &["messages"],
            &["transcript", "messages"],
            &["messagesOpenAIFormatted"],
            &["conversation"],
        ];
        let places = self.lookup_order();
        PATHS.into_iter().flat_map(move |path| {
            places.into_iter().flatten().filter_map(|place| list(place.path(path)?))
        })
    }

    /// Returns the platform's id of the call, unchanged.
    pub(super) fn call_id(&self) -> Option<&'m str> {
        self.call_field("id", id)
    }
}

fn first_present<'m, T, const N: usize>(
    places: [Option<&'m Json<'m>>; N],
    key: &str,
    read: &impl Fn(&'m Json<'m>) -> Option<T>,
) -> Option<T> {
    let values = places.into_iter().flatten().filter_map(|place| place.get(key));
    values.filter(|value| value.is_filled()).find_map(read)
}

/// Accepts any non-empty value.
#[expect(clippy::unnecessary_wraps, reason = "a reader, to be passed where others may fail")]
pub(super) fn filled<'m>(value: &'m Json<'m>) -> Option<&'m Json<'m>> {
    Some(value)
}

/// Accepts an object.
pub(super) fn object<'m>(value: &'m Json<'m>) -> Option<&'m Json<'m>> {
    value.is_object().then_some(value)
}

/// Accepts a non-empty array.
pub(super) fn list<'m>(value: &'m Json<'m>) -> Option<&'m [Json<'m>]> {
    Some(value.items()).filter(|items| !items.is_empty())
}

/// Accepts a string.
pub(super) fn text<'m>(value: &'m Json<'m>) -> Option<&'m str> {
    value.as_str()
}

/// Accepts an id: opaque, of any form and length, but printable. Facts store it in the form of
/// [`fact_id`](crate::json::fact_id). A placeholder (`undefined`, a template) is not an id.
pub(super) fn id<'m>(value: &'m Json<'m>) -> Option<&'m str> {
    value.as_str().filter(|id| {
        !id.trim().is_empty() && !id.contains(char::is_control) && !is_placeholder_id(id)
    })
}

/// Accepts an object and returns its `id`.
pub(super) fn id_of<'m>(value: &'m Json<'m>) -> Option<&'m str> {
    value.get("id").and_then(id)
}

/// Returns the direction for a call's `type`.
pub(super) fn direction_word(call_type: &str) -> Option<crate::event::Direction> {
    use crate::event::Direction;
    match call_type {
        "inboundPhoneCall" => Some(Direction::Inbound),
        "outboundPhoneCall" => Some(Direction::Outbound),
        "webCall" | "vapi.websocketCall" => Some(Direction::Web),
        _ => None,
    }
}
