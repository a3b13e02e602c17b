//! What a new task is about, and the subject whose key seals its text.

use axum::http::StatusCode;
use ledger_core::envelope::StreamKind;
use ledger_core::identity::PersonIdentifiers;
use ledger_core::ids::{AppointmentId, StreamId, SubjectId, TaskId};
use ledger_store::vault::Subject;
use ledger_store::{StoreError, TenantTx, read};
use projections::appointments::up_to;
use projections::calls::point_in_time::{self, PointInTime};

use crate::app::App;
use crate::auth::Caller;
use crate::problem::ApiError;

/// The ids of a request. Each is one of the tenant, or refused by name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Named {
    pub(super) contact_id: Option<SubjectId>,
    pub(super) call_id: Option<StreamId>,
    pub(super) appointment_id: Option<AppointmentId>,
}

/// The person of a task.
pub(super) struct About {
    /// The contact; `None` if no known person is named.
    pub(super) contact_id: Option<SubjectId>,
    /// The subject of the text; `None` for a task without a text.
    pub(super) subject: Option<Subject>,
}

impl Named {
    /// Looks up the ids. The person is the contact of the request, else that of the appointment, else that
    /// of the call; its survivor if it was merged. A text about no known person is sealed for the subject of the appointment or call, or
    /// of the task itself, so an erasure of that subject covers it.
    ///
    /// # Errors
    /// 422 about the first id that the tenant does not have; 409 `subject-erased`; 503 if the keys are not available.
    pub(super) async fn resolve(
        self,
        app: &App,
        caller: &Caller,
        task_id: TaskId,
        has_text: bool,
    ) -> Result<About, ApiError> {
        let given = match self.contact_id {
            Some(id) => {
                let known = app.store.vault().standing_contact(caller.tenant_id(), id).await?;
                let missing = || ApiError::field("contact_id", "there is no such contact");
                Some(known.ok_or_else(missing)?)
            }
            None => None,
        };
        if given.as_ref().is_some_and(|subject| subject.sealing_key().is_none()) {
            return Err(erased());
        }
        let mut own = StreamId(task_id.0);
        let mut candidates = Vec::new();
        let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
        if let Some(call_id) = self.call_id {
            candidates.extend(person_of_call(&mut tx, call_id).await?);
            own = call_id;
        }
        if let Some(AppointmentId(id)) = self.appointment_id {
            let found = up_to(&mut tx, StreamId(id), None).await?;
            let missing = || ApiError::field("appointment_id", "there is no such appointment");
            let appointment = found.ok_or_else(missing)?.appointment;
            candidates.insert(0, SubjectId(appointment.contact_id));
            own = StreamId(appointment.call_id.unwrap_or(id));
        }
        drop(tx);
        let (vault, tenant_id) = (app.store.vault(), caller.tenant_id());
        let mut person = given;
        for candidate in candidates {
            if person.is_none() {
                person = vault.standing_contact(tenant_id, candidate).await?;
            }
        }
        let contact_id = person.as_ref().map(|subject| subject.subject_id);
        let subject = match person {
            _ if !has_text => None,
            Some(subject) => Some(subject),
            None => {
                let nobody = PersonIdentifiers::default();
                Some(vault.resolve(tenant_id, own, nobody).await?.subject)
            }
        };
        if subject.as_ref().is_some_and(|subject| subject.sealing_key().is_none()) {
            return Err(erased());
        }
        Ok(About { contact_id, subject })
    }
}

/// 409: nothing new is recorded about the person.
fn erased() -> ApiError {
    let detail = "the person is erased or restricted, and nothing new is recorded about it";
    ApiError::new(StatusCode::CONFLICT, "subject-erased", detail)
}

/// The contact of a call, if one is known.
async fn person_of_call(
    tx: &mut TenantTx,
    call_id: StreamId,
) -> Result<Option<SubjectId>, ApiError> {
    let is_known = read::has_stream(tx, StreamKind::Call, call_id).await;
    if !is_known.map_err(StoreError::from)? {
        return Err(ApiError::field("call_id", "there is no such call"));
    }
    let now = PointInTime::Position(i64::MAX);
    let call = point_in_time::find(tx, call_id.0, now).await?;
    Ok(call.and_then(|found| found.call.contact_id()))
}
