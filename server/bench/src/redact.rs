//! `bench redact`: redaction of transcripts and removal of card data from messages, compared with one pass over
//! the words of the same text.

use std::hint::black_box;

use anyhow::Context;
use ledger_core::json::Json;
use ledger_core::redact::{KnownNames, minimise, redact};

use crate::report::{Goal, Measured, Report, peak_memory};
use crate::seal::measure;

/// Turns of a call with data of several classes, and without.
const TURNS: &str = include_str!("redact/turns.txt");
/// Bytes of the measured transcript: that of a call of about five minutes is a tenth of it.
const TRANSCRIPT: usize = 64 << 10;

/// Runs the benchmark on one CPU. `body` is the message that card data is removed from.
///
/// # Errors
/// The body is not JSON.
pub fn run(body: &[u8], step: impl Fn(&str)) -> anyhow::Result<Report> {
    let names = KnownNames::of(["Anna Kowalski", "Marcus Henderson"]);
    let text = TURNS.repeat(TRANSCRIPT / TURNS.len() + 1);
    let small = &text[..text.floor_char_boundary(TRANSCRIPT / 10)];
    let tree = Json::parse(body).context("the sample is no JSON")?;

    let mut report = Report::new("redact");
    step("redacting");
    let what = format!("redact a transcript of {} KB", text.len() / 1_000);
    report.measured.push(measure(&what, || {
        black_box(redact(black_box(&text), &names));
    }));
    let what = format!("redact a transcript of {} KB", small.len() / 1_000);
    report.measured.push(measure(&what, || {
        black_box(redact(black_box(small), &names));
    }));
    report.measured.push(measure("limit: the words of the same transcript in lower case", || {
        let words = black_box(&text).split_whitespace().map(|word| word.to_ascii_lowercase().len());
        black_box(words.sum::<usize>());
    }));
    step("removing card data");
    let what = format!("look for card data in a body of {} KB", body.len() / 1_000);
    report.measured.push(measure(&what, || {
        black_box(minimise(black_box(&mut tree.clone())));
    }));
    report.measured.push(measure("limit: a copy of the tree", || {
        black_box(black_box(&tree).clone());
    }));
    report.goals = vec![
        Goal::at_least("redact: MB/s", rate(&report.measured[0], text.len()), 20.0),
        Goal::at_most("redact a call of five minutes: ms", report.measured[1].p50_ms, 2.0),
        Goal::at_least("look for card data: MB/s", rate(&report.measured[3], body.len()), 20.0),
    ];
    report.peak_memory_bytes = peak_memory(std::process::id());
    Ok(report)
}

/// Megabytes per second.
#[expect(clippy::cast_precision_loss, reason = "a size of a text")]
fn rate(measured: &Measured, bytes: usize) -> f64 {
    measured.per_second * bytes as f64 / 1_000_000.0
}
