//! What the erasure process reads of the log: the rights over a subject's data, and the subjects of
//! calls.

use ledger_core::aggregate::Aggregate;
use ledger_core::envelope::Recorded;
use ledger_core::erasure::{ErasureAction, ErasureCommand, ErasureEvent, Erasures, SubjectState};
use ledger_core::event::{Event, SubjectEvent};
use ledger_core::ids::{Position, StreamId, SubjectId, TenantId};
use uuid::Uuid;

use crate::Store;
use crate::error::StoreError;
use crate::execute::load_streams;
use crate::read::stream_between;
use crate::tenant_tx::TenantTx;

/// The rights over a subject's data, as the log has them.
#[derive(Debug, Clone)]
pub struct Rights {
    /// Erasures, holds, restrictions and merges of the subject and of the subjects that are one person
    /// with it.
    pub state: SubjectState,
    /// The events of the stream of the subject itself, in order.
    pub events: Vec<Recorded<SubjectEvent>>,
}

impl Store {
    /// Reads the rights over a subject's data.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the database did not answer, [`StoreError::Decode`] if an event
    /// cannot be decoded.
    pub async fn rights(
        &self,
        tenant_id: TenantId,
        subject_id: SubjectId,
    ) -> Result<Rights, StoreError> {
        // The action does not change which streams are read.
        let action = ErasureAction::LiftRestriction;
        let command = ErasureCommand { subject_id, now: self.clock.now(), action };
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let mut state = SubjectState::default();
        let first = Erasures::streams(tenant_id, &command);
        let loaded: Vec<ErasureEvent> = load_streams(&mut tx, &first).await?;
        for event in &loaded {
            Erasures::evolve(&mut state, event);
        }
        let further = Erasures::further_streams(tenant_id, &state, &command);
        if !further.is_empty() {
            let loaded: Vec<ErasureEvent> = load_streams(&mut tx, &further).await?;
            for event in &loaded {
                Erasures::evolve(&mut state, event);
            }
        }
        let stream = tenant_id.subject_stream(subject_id);
        let (from, to) = (Position(1), Position(i64::MAX));
        let stored = stream_between(tx.conn(), tenant_id, stream.0, from, to).await?;
        let mut events = Vec::with_capacity(stored.len());
        for event in stored {
            let recorded = event.decode()?;
            if let Event::Subject(change) = &recorded.event {
                let event = change.clone();
                let Recorded { position, stream_id, stream_version, event_id, .. } = recorded;
                let (occurred_at, recorded_at) = (recorded.occurred_at, recorded.recorded_at);
                events.push(Recorded {
                    position,
                    stream_id,
                    stream_version,
                    event_id,
                    occurred_at,
                    recorded_at,
                    event,
                });
            }
        }
        Ok(Rights { state, events })
    }

    /// Returns the subjects of the sections of these streams, sorted.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn subjects_of_streams(
        &self,
        tenant_id: TenantId,
        streams: &[StreamId],
    ) -> Result<Vec<SubjectId>, StoreError> {
        let ids: Vec<Uuid> = streams.iter().map(|stream| stream.0).collect();
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let subjects = sqlx::query_scalar!(
            r#"select distinct s.subject_id as "subject_id!"
                 from unnest($2::uuid[]) as c (stream_id)
                cross join lateral (select e.subjects from ledger.events e
                                     where e.tenant_id = $1 and e.stream_id = c.stream_id
                                       and e.subjects is not null
                                    offset 0) e
                cross join lateral unnest(e.subjects) as s (subject_id)
                order by 1"#,
            tenant_id.0,
            &ids,
        )
        .fetch_all(tx.conn())
        .await?;
        Ok(subjects.into_iter().map(SubjectId).collect())
    }

    /// Counts the events of these streams with sections of one of the subjects.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn count_sealed(
        &self,
        tenant_id: TenantId,
        streams: &[StreamId],
        subjects: &[SubjectId],
    ) -> Result<u64, StoreError> {
        let streams: Vec<Uuid> = streams.iter().map(|stream| stream.0).collect();
        let subjects: Vec<Uuid> = subjects.iter().map(|subject| subject.0).collect();
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let events = sqlx::query_scalar!(
            r#"select count(*) as "events!"
                 from unnest($2::uuid[]) as c (stream_id)
                cross join lateral (select from ledger.events e
                                     where e.tenant_id = $1 and e.stream_id = c.stream_id
                                       and e.subjects && $3::uuid[]
                                    offset 0) e"#,
            tenant_id.0,
            &streams,
            &subjects,
        )
        .fetch_one(tx.conn())
        .await?;
        Ok(events.unsigned_abs())
    }

    /// Returns the positions of the events of these streams with sections of one of the subjects, at
    /// most `limit`, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn sealed_positions(
        &self,
        tenant_id: TenantId,
        streams: &[StreamId],
        (subjects, limit): (&[SubjectId], i64),
    ) -> Result<Vec<i64>, StoreError> {
        let streams: Vec<Uuid> = streams.iter().map(|stream| stream.0).collect();
        let subjects: Vec<Uuid> = subjects.iter().map(|subject| subject.0).collect();
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let positions = sqlx::query_scalar!(
            r#"select e.position as "position!"
                 from unnest($2::uuid[]) as c (stream_id)
                cross join lateral (select e.position from ledger.events e
                                     where e.tenant_id = $1 and e.stream_id = c.stream_id
                                       and e.subjects && $3::uuid[]
                                    offset 0) e
                order by 1 desc
                limit $4"#,
            tenant_id.0,
            &streams,
            &subjects,
            limit,
        )
        .fetch_all(tx.conn())
        .await?;
        Ok(positions)
    }
}
