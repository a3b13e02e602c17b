//! Redacted view of a call, for callers without scope `personal`.

use ledger_core::redact::{KnownNames, names_in, redact_texts, redact_value};

use super::view::CallDetail;

/// Redacts the texts of a call. `name` is that of the other party. Links to recordings are removed:
/// a voice is not redacted.
pub(super) fn redact(detail: &mut CallDetail, name: Option<&str>) {
    let mut known: Vec<String> = name.into_iter().map(str::to_owned).collect();
    let values = || detail.tool_calls.iter().flat_map(|tool| [&tool.arguments, &tool.result]);
    values()
        .chain([&detail.structured_data])
        .flatten()
        .for_each(|value| names_in(value, &mut known));
    let names = KnownNames::of(known.iter().map(String::as_str));
    for text in [&mut detail.transcript, &mut detail.summary].into_iter().flatten() {
        redact_texts(&mut [text], &names);
    }
    if let Some(messages) = &mut detail.messages {
        let mut turns: Vec<&mut String> = messages.iter_mut().map(|turn| &mut turn.text).collect();
        redact_texts(&mut turns, &names);
    }
    if let Some(value) = &mut detail.structured_data {
        redact_value(value, &names);
    }
    if let Some(analysis) = &mut detail.analysis {
        let texts = [&mut analysis.sentiment, &mut analysis.intent, &mut analysis.summary];
        for text in texts.into_iter().flatten() {
            redact_texts(&mut [text], &names);
        }
    }
    for tool in &mut detail.tool_calls {
        for value in [&mut tool.arguments, &mut tool.result].into_iter().flatten() {
            redact_value(value, &names);
        }
    }
    detail.recordings = None;
}
