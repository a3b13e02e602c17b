//! Generator of events of typical size: rows of 1.7 KB, twenty events a call.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use fastrand::Rng;
use ledger_core::clock::Clock;
use ledger_core::envelope::StreamKind;
use ledger_core::ids::{EventId, Ids, StreamId, StreamVersion, SubjectId, TenantId};
use ledger_store::append::{AppendRequest, Expected, NewEvent, StreamAppend};
use uuid::Uuid;

use ledger_app::system::{SystemClock, SystemIds};

const EVENTS_PER_CALL: i64 = 20;
/// Size of the sections in bytes. Random, because ciphertext does not compress.
const SECTIONS: usize = 1_100;
const NOISE: usize = 1 << 20;

/// Generates the events of one caller.
pub(super) struct Events {
    tenants: Arc<[TenantId]>,
    noise: Arc<[u8]>,
    rng: Rng,
    tenant_id: TenantId,
    stream_id: StreamId,
    version: i64,
}

/// Random bytes from which all callers take their sections.
pub(super) fn noise() -> Arc<[u8]> {
    let mut rng = Rng::with_seed(1);
    std::iter::repeat_with(|| rng.u8(..)).take(NOISE).collect()
}

impl Events {
    pub(super) fn new(tenants: Arc<[TenantId]>, noise: Arc<[u8]>, seed: u64) -> Self {
        let tenant_id = tenants[0];
        let stream_id = StreamId(Uuid::nil());
        let rng = Rng::with_seed(seed);
        Self { tenants, noise, rng, tenant_id, stream_id, version: EVENTS_PER_CALL }
    }

    /// The next event, with the exact expected version of its stream, so that the append performs every
    /// check.
    pub(super) fn next(&mut self) -> AppendRequest {
        if self.version == EVENTS_PER_CALL {
            self.tenant_id = self.tenants[self.rng.usize(..self.tenants.len())];
            self.stream_id = StreamId(SystemIds.ordered());
            self.version = 0;
        }
        let expected = Expected::Exactly(StreamVersion(self.version));
        self.version += 1;
        let event = self.event();
        let stream = StreamAppend {
            stream_id: self.stream_id,
            kind: StreamKind::Call,
            expected,
            events: vec![event],
        };
        AppendRequest { tenant_id: self.tenant_id, streams: vec![stream] }
    }

    /// The first event of a new call, with its stream version.
    pub(super) fn first_of_a_call(&mut self) -> (AppendRequest, i64) {
        self.version = EVENTS_PER_CALL;
        (self.next(), self.version)
    }

    /// Stream version of the last event, if its append succeeded.
    pub(super) fn version(&self) -> i64 {
        self.version
    }

    fn event(&mut self) -> NewEvent {
        let now: DateTime<Utc> = SystemClock.now_micros();
        let from = self.rng.usize(..NOISE - SECTIONS);
        let (call, duration) = (self.stream_id, self.rng.u32(1_000..600_000));
        let facts = format!(
            r#"{{"provider":"vapi","provider_call_id":"{call}","agent_id":"6d1a3c52-0000-4000-8000-000000000001","phone_number_id":"6d1a3c52-0000-4000-8000-000000000002","direction":"inbound","status":"in-progress","duration_ms":{duration},"cost_nanos":108800000,"currency":"USD","party":{{"phone":"valid","name":true}},"is_test":false}}"#
        );
        let meta = format!(
            r#"{{"source_id":"6d1a3c52-0000-4000-8000-000000000003","request_id":"{call}","content":"00112233445566778899aabbccddeeff"}}"#
        );
        NewEvent {
            event_id: EventId(SystemIds.random()),
            event_type: "call.status_changed",
            schema_version: 1,
            occurred_at: now,
            recorded_at: now,
            facts,
            sections: Some(self.noise[from..from + SECTIONS].to_vec()),
            bulk: None,
            subjects: vec![SubjectId(self.stream_id.0)],
            meta,
        }
    }
}
