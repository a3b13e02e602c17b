//! The streams about a person, for the manifest of an erasure.

use ledger_core::ids::{HandleId, StreamId, SubjectId};
use ledger_store::TenantTx;
use uuid::Uuid;

/// Returns the calls of these contacts.
///
/// # Errors
/// The database did not answer.
pub async fn calls_of(tx: &mut TenantTx, contacts: &[SubjectId]) -> sqlx::Result<Vec<StreamId>> {
    let ids: Vec<Uuid> = contacts.iter().map(|contact| contact.0).collect();
    let calls = sqlx::query_scalar!(
        r#"select call_id as "call_id!" from read.calls
            where tenant_id = $1 and contact_id = any ($2)
           union
           select call_id from read.carrier_calls
            where tenant_id = $1 and contact_id = any ($2)
            order by 1"#,
        tx.tenant_id().0,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(calls.into_iter().map(StreamId).collect())
}

/// Returns the appointments and tasks of these contacts. The stream of one has its id.
///
/// # Errors
/// The database did not answer.
pub async fn others_of(tx: &mut TenantTx, contacts: &[SubjectId]) -> sqlx::Result<Vec<StreamId>> {
    let ids: Vec<Uuid> = contacts.iter().map(|contact| contact.0).collect();
    let streams = sqlx::query_scalar!(
        r#"select appointment_id as "stream_id!" from read.appointments
            where tenant_id = $1 and contact_id = any ($2)
           union
           select task_id from read.tasks
            where tenant_id = $1 and contact_id = any ($2)
            order by 1"#,
        tx.tenant_id().0,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(streams.into_iter().map(StreamId).collect())
}

/// Returns the calls from one of these handles whose contact is not known.
///
/// # Errors
/// The database did not answer.
pub async fn unassigned_calls(
    tx: &mut TenantTx,
    handles: &[HandleId],
) -> sqlx::Result<Vec<StreamId>> {
    let ids: Vec<Uuid> = handles.iter().map(|handle| handle.0).collect();
    let calls = sqlx::query_scalar!(
        r#"select call_id as "call_id!" from read.calls
            where tenant_id = $1 and contact_id is null and person_id <> subject_id
              and person_id = any ($2)
            order by 1"#,
        tx.tenant_id().0,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(calls.into_iter().map(StreamId).collect())
}
