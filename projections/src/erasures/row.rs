//! The row of an erasure: its fold, and how it is loaded and written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ledger_core::envelope::Recorded;
use ledger_core::erasure::ErasureState;
use ledger_core::event::{ErasureRequested, SubjectEvent};
use ledger_core::ids::{ErasureId, TenantId};
use ledger_store::StoreError;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::projector::{ProjectError, TenantKeys};

/// An erasure, as its events tell it. The fields are the columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The tenant.
    pub tenant_id: Uuid,
    /// Id of the erasure.
    pub erasure_id: Uuid,
    /// The stream of the subject.
    pub stream_id: Uuid,
    /// The contact that is erased.
    pub subject_id: Uuid,
    /// State as the API names it.
    pub state: String,
    /// Last step that was carried out.
    pub step: Option<String>,
    /// Ground of the request.
    pub ground: String,
    /// The party that requested it.
    pub requester: String,
    /// Check of the identity of that party.
    pub identity: String,
    /// Receipt of the request.
    pub received_at: DateTime<Utc>,
    /// Time at which the request was recorded.
    pub requested_at: DateTime<Utc>,
    /// End of the term.
    pub due_at: DateTime<Utc>,
    /// Whether the term was extended.
    pub is_extended: bool,
    /// Reason of the refusal.
    pub refusal: Option<String>,
    /// Rule of the newest deferral.
    pub rule: Option<String>,
    /// Legal hold of the newest deferral.
    pub hold_id: Option<Uuid>,
    /// End of the retention duty of the newest deferral.
    pub retained_until: Option<DateTime<Utc>>,
    /// Subjects of the manifest.
    pub subjects: Option<u32>,
    /// Keys of the manifest.
    pub keys: Option<u32>,
    /// Events with sections of these subjects.
    pub events: Option<u64>,
    /// Calls of the manifest whose person is one of several candidates.
    pub ambiguous_calls: Option<u32>,
    /// Recipients of the manifest.
    pub recipients: Option<u32>,
    /// Digest of the keys of the manifest.
    pub manifest_digest: Option<String>,
    /// Findings of the newest verification.
    pub findings: Option<u32>,
    /// Digest of the live certificate.
    pub live_digest: Option<String>,
    /// Digest of the final certificate.
    pub final_digest: Option<String>,
    /// Time at which each step was recorded.
    pub steps: BTreeMap<String, DateTime<Utc>>,
    /// Position of the request.
    pub requested_position: i64,
    /// Position of the last event.
    pub position: i64,
}

/// Returns the erasure that an event is about; `None` for others.
pub(super) fn erasure_of(event: &SubjectEvent) -> Option<ErasureId> {
    use SubjectEvent as E;
    match event {
        E::ErasureRequested(facts) => Some(facts.erasure_id),
        E::ErasureExtended(facts) => Some(facts.erasure_id),
        E::ErasureRefused(facts) => Some(facts.erasure_id),
        E::ErasureDeferred(facts) => Some(facts.erasure_id),
        E::ErasureAllowed(facts) => Some(facts.erasure_id),
        E::ErasurePlanned(facts) => Some(facts.erasure_id),
        E::Fenced(facts) => Some(facts.erasure_id),
        E::ErasureJournaled(facts) => Some(facts.erasure_id),
        E::KeysDestroyed(facts) => Some(facts.erasure_id),
        E::NoticesRecorded(facts) => Some(facts.erasure_id),
        E::ErasureCertified(facts) | E::Erased(facts) => Some(facts.erasure_id),
        E::EpochRolled(facts) => Some(facts.erasure_id),
        E::ErasureVerified(facts) => Some(facts.erasure_id),
        E::SectionsPurged(facts) => Some(facts.erasure_id),
        E::HoldPlaced(_)
        | E::HoldReleased(_)
        | E::Restricted(_)
        | E::RestrictionLifted(_)
        | E::AccessRequested(_)
        | E::AccessExported(_) => None,
    }
}

impl Erasure {
    /// Applies an event of the erasure.
    pub(super) fn evolve(
        row: &mut Option<Self>,
        tenant_id: TenantId,
        recorded: &Recorded,
        event: &SubjectEvent,
    ) {
        if let SubjectEvent::ErasureRequested(requested) = event {
            *row = Some(Self::requested(tenant_id, recorded, requested));
        }
        let Some(row) = row else { return };
        row.position = recorded.position.0;
        row.change(recorded.recorded_at, event);
    }

    fn requested(tenant_id: TenantId, recorded: &Recorded, facts: &ErasureRequested) -> Self {
        Self {
            tenant_id: tenant_id.0,
            erasure_id: facts.erasure_id.0,
            stream_id: recorded.stream_id.0,
            subject_id: facts.subject_id.0,
            state: ErasureState::Requested.as_str().to_owned(),
            step: None,
            ground: facts.ground.as_str().to_owned(),
            requester: facts.requester.as_str().to_owned(),
            identity: facts.identity.as_str().to_owned(),
            received_at: facts.received_at,
            requested_at: recorded.recorded_at,
            due_at: facts.due_at,
            is_extended: false,
            refusal: None,
            rule: None,
            hold_id: None,
            retained_until: None,
            subjects: None,
            keys: None,
            events: None,
            ambiguous_calls: None,
            recipients: None,
            manifest_digest: None,
            findings: None,
            live_digest: None,
            final_digest: None,
            steps: BTreeMap::new(),
            requested_position: recorded.position.0,
            position: recorded.position.0,
        }
    }

    fn change(&mut self, at: DateTime<Utc>, event: &SubjectEvent) {
        use SubjectEvent as E;
        match event {
            E::ErasureExtended(facts) => {
                self.due_at = facts.due_at;
                self.is_extended = true;
            }
            E::ErasureRefused(facts) => {
                self.refusal = Some(facts.reason.as_str().to_owned());
                self.reach(ErasureState::Refused, None, "refused", at);
            }
            E::ErasureDeferred(facts) => {
                self.rule = Some(facts.rule.as_str().to_owned());
                self.hold_id = facts.hold_id.map(|hold_id| hold_id.0);
                self.retained_until = facts.until;
                self.reach(ErasureState::Deferred, None, "deferred", at);
            }
            E::ErasureAllowed(_) => self.reach(ErasureState::Requested, None, "allowed", at),
            E::ErasurePlanned(facts) => {
                (self.subjects, self.keys) = (Some(facts.subjects), Some(facts.keys));
                self.events = Some(facts.events);
                self.ambiguous_calls = Some(facts.ambiguous_calls);
                self.recipients = Some(facts.recipients);
                self.manifest_digest = Some(facts.digest.to_string());
                self.step(ErasureState::Requested, "planned", at);
            }
            E::Fenced(_) => self.step(ErasureState::Fenced, "fenced", at),
            E::ErasureJournaled(_) => self.step(ErasureState::Fenced, "journaled", at),
            E::KeysDestroyed(_) => self.step(ErasureState::Destroyed, "destroyed", at),
            E::NoticesRecorded(_) => self.step(ErasureState::Destroyed, "notified", at),
            E::ErasureCertified(facts) => {
                self.live_digest = Some(facts.digest.to_string());
                self.step(ErasureState::Destroyed, "certified", at);
            }
            E::EpochRolled(_) => self.step(ErasureState::Destroyed, "rolled", at),
            E::ErasureVerified(facts) => {
                self.findings = Some(facts.findings);
                if facts.findings == 0 {
                    self.step(ErasureState::Destroyed, "verified", at);
                }
            }
            E::Erased(facts) => {
                self.final_digest = Some(facts.digest.to_string());
                self.step(ErasureState::Final, "erased", at);
            }
            E::SectionsPurged(_) => self.step(ErasureState::Final, "purged", at),
            E::ErasureRequested(_)
            | E::HoldPlaced(_)
            | E::HoldReleased(_)
            | E::Restricted(_)
            | E::RestrictionLifted(_)
            | E::AccessRequested(_)
            | E::AccessExported(_) => {}
        }
    }

    fn step(&mut self, state: ErasureState, step: &str, at: DateTime<Utc>) {
        self.reach(state, Some(step), step, at);
    }

    fn reach(&mut self, state: ErasureState, step: Option<&str>, name: &str, at: DateTime<Utc>) {
        state.as_str().clone_into(&mut self.state);
        self.step = step.map(str::to_owned);
        self.steps.insert(name.to_owned(), at);
    }

    /// Decodes a row that was read as JSON.
    pub(super) fn parse(json: &str) -> Result<Self, StoreError> {
        let corrupt = |_| StoreError::Corrupt { table: "erasures", column: "steps" };
        serde_json::from_str(json).map_err(corrupt)
    }
}

/// Loads the rows of the subjects of a batch.
pub(super) async fn load(
    conn: &mut PgConnection,
    wanted: &[TenantKeys],
) -> Result<Vec<Erasure>, ProjectError> {
    let pairs =
        wanted.iter().flat_map(|one| one.keys.iter().map(|key| (one.tenant.tenant_id.0, *key)));
    let (tenants, keys): (Vec<Uuid>, Vec<Uuid>) = pairs.unzip();
    // `offset 0` forces one index lookup per key, as for `calls`.
    let rows = sqlx::query_scalar!(
        r#"select row_to_json(r)::text as "erasure!"
             from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, stream_id)
            cross join lateral (select * from erasures
                                 where tenant_id = k.tenant_id and stream_id = k.stream_id
                                offset 0) r"#,
        &tenants,
        &keys,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.iter().map(|row| Erasure::parse(row)).collect::<Result<_, _>>()?)
}

/// Writes the rows of a batch.
pub(super) async fn upsert(conn: &mut PgConnection, rows: &[Erasure]) -> Result<(), ProjectError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into erasures
         select * from json_populate_recordset(null::erasures, $1::text::json)
             on conflict (tenant_id, erasure_id) do update
            set stream_id = excluded.stream_id, subject_id = excluded.subject_id,
                state = excluded.state, step = excluded.step, ground = excluded.ground,
                requester = excluded.requester, identity = excluded.identity,
                received_at = excluded.received_at, requested_at = excluded.requested_at,
                due_at = excluded.due_at, is_extended = excluded.is_extended,
                refusal = excluded.refusal, rule = excluded.rule, hold_id = excluded.hold_id,
                retained_until = excluded.retained_until, subjects = excluded.subjects,
                keys = excluded.keys, events = excluded.events,
                ambiguous_calls = excluded.ambiguous_calls, recipients = excluded.recipients,
                manifest_digest = excluded.manifest_digest, findings = excluded.findings,
                live_digest = excluded.live_digest, final_digest = excluded.final_digest,
                steps = excluded.steps, requested_position = excluded.requested_position,
                position = excluded.position",
        serde_json::to_string(rows).expect("rows are plain data"),
    )
    .execute(conn)
    .await?;
    Ok(())
}
