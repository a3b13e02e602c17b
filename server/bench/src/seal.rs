//! `bench seal`: sealing and opening compared with the plain cipher, translation compared with the plain JSON
//! parser.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ledger_core::ids::{EventId, SubjectId, TenantId};
use ledger_core::provider::Provider;
use ledger_store::seal::{KeyBytes, SectionContext, SectionName, open, seal};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::latency::Latencies;
use crate::report::{Goal, Measured, Report, peak_memory};

const KILOBYTE: usize = 1_024;
/// Calls for each reading of the clock, since a single call is too short to measure.
const BATCH: u32 = 64;
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_millis(400);

/// Runs the benchmark on one CPU. `body` is the message to translate.
///
/// # Errors
/// The body is not a message of the platform.
pub fn run(body: &[u8], step: impl Fn(&str)) -> anyhow::Result<Report> {
    let adapter = Provider::Vapi.adapter();
    adapter.translate(body, Some("US")).context("the sample cannot be translated")?;

    let key: KeyBytes = Zeroizing::new([7; 32]);
    let place = SectionContext {
        tenant_id: TenantId(Uuid::from_u128(1)),
        subject_id: SubjectId(Uuid::from_u128(2)),
        generation: 1,
        event_id: EventId(Uuid::from_u128(3)),
        event_type: "call.ended",
        schema_version: 1,
        name: SectionName::Party,
    };
    // Incompressible data is the slow case: compression is tried in vain, then everything is encrypted.
    let mut rng = fastrand::Rng::with_seed(1);
    let plain: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(KILOBYTE).collect();
    let sealed = seal(&key, &place, &plain);
    let text = &body[..body.len().min(KILOBYTE)];
    let sealed_text = seal(&key, &place, text);

    let mut report = Report::new("seal");
    step("sealing and opening 1 KB");
    report.measured.push(measure("seal 1 KB that does not shrink", || {
        black_box(seal(&key, &place, black_box(&plain)));
    }));
    report.measured.push(measure("open 1 KB that does not shrink", || {
        black_box(open(&key, place.tenant_id, black_box(&sealed)).is_ok());
    }));
    let what = format!("seal 1 KB of a message, {} bytes sealed", sealed_text.len());
    report.measured.push(measure(&what, || {
        black_box(seal(&key, &place, black_box(text)));
    }));
    report.measured.push(measure("open 1 KB of a message", || {
        black_box(open(&key, place.tenant_id, black_box(&sealed_text)).is_ok());
    }));
    report.measured.push(measure("limit: AES-256-GCM of 1 KB, key set up each time", || {
        black_box(bare_cipher(&key, black_box(&plain)));
    }));
    step("translating");
    let kilobytes = body.len() / 1_000;
    report.measured.push(measure(&format!("translate a body of {kilobytes} KB"), || {
        black_box(adapter.translate(black_box(body), Some("US")).is_ok());
    }));
    report.measured.push(measure("limit: serde_json of the same body", || {
        black_box(serde_json::from_slice::<serde_json::Value>(black_box(body)).is_ok());
    }));
    let micros = |nth: usize| report.measured[nth].p50_ms * 1_000.0;
    report.goals = vec![
        Goal::at_most("seal 1 KB: µs", micros(0), 10.0),
        Goal::at_most("open 1 KB: µs", micros(1), 10.0),
    ];
    report.peak_memory_bytes = peak_memory(std::process::id());
    Ok(report)
}

/// Key setup and one encryption: the lower bound for sealing.
fn bare_cipher(key: &KeyBytes, plain: &[u8]) -> Vec<u8> {
    let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).expect("32 bytes");
    let mut body = plain.to_vec();
    LessSafeKey::new(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key([0; 12]), Aad::empty(), &mut body)
        .expect("far below the limit of the cipher");
    body
}

/// Measures a computation of less than a millisecond on one CPU, in batches.
pub(crate) fn measure(what: &str, mut once: impl FnMut()) -> Measured {
    let mut latencies = Latencies::default();
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let mut calls = 0;
        while began.elapsed() < ROUND {
            let batch = Instant::now();
            (0..BATCH).for_each(|_| once());
            latencies.record(batch.elapsed() / BATCH);
            calls += BATCH;
        }
        rates.push(f64::from(calls) / began.elapsed().as_secs_f64());
    }
    Measured::new(what, 1, &latencies, &rates)
}
