//! Which calls are meant: the same words for a page of them and for sums over them.

use ledger_core::ids::SubjectId;
use ledger_core::personal::{normalise_email, normalise_phone};
use ledger_store::vault::Identifier;
use projections::calls::Filter;
use uuid::Uuid;

use crate::api::Params;
use crate::api::words::{CallDirection, CallOutcome, CallStatus};
use crate::app::App;
use crate::auth::Caller;
use crate::problem::ApiError;

/// Takes the filters out of a query.
///
/// # Errors
/// 400 for one that is not of its form, or whose facts this ledger does not keep yet, by name.
pub async fn take_filter(
    app: &App,
    caller: &Caller,
    params: &mut Params,
) -> Result<Filter, ApiError> {
    let from = params.time("from")?;
    let to = params.time("to")?;
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(ApiError::parameter("from", "it lies after to"));
    }
    refuse_later_filters(params)?;
    Ok(Filter {
        from,
        to,
        provider_call_id: params.take("provider_call_id")?,
        direction: params.one_of("direction", CallDirection::ALL)?,
        status: params.one_of("status", CallStatus::ALL)?,
        outcome: params.one_of("outcome", CallOutcome::ALL)?,
        ended_reason: params.take("ended_reason")?,
        agent_id: params.take("agent_id")?,
        tool: params.take("tool")?,
        min_cost_nanos: params.number("min_cost_nanos")?,
        subjects: subjects(app, caller, params).await?,
        is_test: params.parse("is_test", "true or false")?,
    })
}

/// Asking who called from a number is a look at a person, whatever is shown of the answer.
///
/// # Errors
/// 503 when the look could not be recorded.
pub async fn audit_search(app: &App, caller: &Caller, filter: &Filter) -> Result<(), ApiError> {
    let Some(subjects) = &filter.subjects else { return Ok(()) };
    let subjects: Vec<SubjectId> = subjects.iter().copied().map(SubjectId).collect();
    caller.audit_personal_read(app, "calls.find", None, subjects.len(), subjects).await
}

/// Filters of the contract whose facts this ledger does not keep yet.
fn refuse_later_filters(params: &mut Params) -> Result<(), ApiError> {
    for name in ["has_appointment", "contact_id", "tag", "disposition"] {
        if params.take(name)?.is_some() {
            return Err(ApiError::parameter(name, "this ledger does not keep that yet"));
        }
    }
    Ok(())
}

/// The number that a query names. A plus that a client did not encode arrives as a blank, so a blank before
/// the first digit means an international number.
fn phone_of(asked: &str, country: Option<&str>) -> Result<String, ApiError> {
    let national = asked.trim_start_matches(' ');
    if national.len() < asked.len() && national.starts_with(|c: char| c.is_numeric()) {
        return normalise_phone(&format!("+{national}"), None).ok_or_else(|| {
            let detail = "it begins with a blank, which is what a + that is not encoded becomes, and is no \
                          telephone number with a + before it; write %2B for a +, and no blank before national digits";
            ApiError::parameter("phone", detail)
        });
    }
    normalise_phone(asked, country).ok_or_else(|| {
        let detail = if country.is_some_and(|country| !country.is_empty()) {
            "it is no telephone number"
        } else {
            "it is no telephone number; without a country of the tenant only international ones are, such as +15550100123"
        };
        ApiError::parameter("phone", detail)
    })
}

/// Who is meant by a phone number or an e-mail address; nobody found finds no calls.
async fn subjects(
    app: &App,
    caller: &Caller,
    params: &mut Params,
) -> Result<Option<Vec<Uuid>>, ApiError> {
    let tenant_id = caller.tenant_id();
    let mut wanted = Vec::new();
    if let Some(phone) = params.take("phone")? {
        let country = app.store.country(tenant_id).await?;
        let phone = phone_of(&phone, country.as_deref())?;
        wanted.push(Identifier::Phone(phone));
    }
    if let Some(email) = params.take("email")? {
        let email = normalise_email(&email)
            .ok_or_else(|| ApiError::parameter("email", "it is no e-mail address"))?;
        wanted.push(Identifier::Email(email));
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    let mut found: Option<Vec<Uuid>> = None;
    for identifier in &wanted {
        let these = app.store.vault().find(tenant_id, identifier).await?;
        let these: Vec<Uuid> = these.into_iter().map(|subject| subject.0).collect();
        // Several identifiers narrow each other.
        found = Some(match found {
            Some(known) => known.into_iter().filter(|id| these.contains(id)).collect(),
            None => these,
        });
    }
    Ok(found)
}
