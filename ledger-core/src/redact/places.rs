//! Names of fields: their words, and the part of a message that they are in.

use crate::event::RemovedFrom;

/// Returns the words of a field's name, in lower case: `cardCvv`, `card_cvv` and `card-cvv` alike.
pub(super) fn words_of(key: &str) -> String {
    let mut words = String::with_capacity(key.len() + 4);
    let mut was_lower = false;
    for c in key.chars() {
        if !c.is_alphanumeric() {
            words.push(' ');
            was_lower = false;
            continue;
        }
        if c.is_uppercase() && was_lower {
            words.push(' ');
        }
        was_lower = c.is_lowercase();
        words.extend(c.to_lowercase());
    }
    words
}

/// Returns the part of a message that a field is, or else the part it is in.
pub(super) fn place_of(key: &str, parent: RemovedFrom) -> RemovedFrom {
    match key {
        "transcript" | "transcript_with_tool_calls" => RemovedFrom::Transcript,
        "messages" | "messagesOpenAIFormatted" | "conversation" | "transcript_object" => {
            RemovedFrom::Messages
        }
        "summary" | "call_summary" => RemovedFrom::Summary,
        "structuredData" | "structuredOutputs" | "custom_analysis_data" => {
            RemovedFrom::StructuredData
        }
        "toolCalls"
        | "toolCallList"
        | "toolWithToolCallList"
        | "toolCall"
        | "functionCall"
        | "arguments"
        | "args"
        | "parameters"
        | "result"
        | "results"
        | "tool_calls" => RemovedFrom::ToolCall,
        "variableValues"
        | "variables"
        | "metadata"
        | "retell_llm_dynamic_variables"
        | "collected_dynamic_variables" => RemovedFrom::Variables,
        _ => parent,
    }
}

/// Whether a field holds magnetic stripe data by its name.
pub(super) fn is_track(key: &str) -> bool {
    const NAMES: [&str; 8] = [
        "track1",
        "track2",
        "trackdata",
        "track1data",
        "track2data",
        "magstripe",
        "swipedata",
        "magneticstripe",
    ];
    let folded: String =
        key.chars().filter(char::is_ascii_alphanumeric).flat_map(char::to_lowercase).collect();
    NAMES.contains(&folded.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_any_spelling_has_the_same_words() {
        for key in
            ["cardSecurityCode", "card_security_code", "Card-Security-Code", "card security code"]
        {
            assert_eq!(words_of(key), "card security code");
        }
        assert_eq!(words_of("CVV"), "cvv");
        assert!(is_track("track_2") && is_track("Track2Data") && !is_track("tracking"));
    }
}
