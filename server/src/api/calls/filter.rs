//! Filters over calls: the same query parameters for lists and for sums.

use ledger_core::annotation::spelling::Spellings;
use ledger_core::annotation::words::normal_form;
use ledger_core::identity::Handle;
use ledger_core::ids::SubjectId;
use ledger_core::json::fact_id;
use ledger_core::personal::normalise_email;
use ledger_store::vault::HandleMatches;
use projections::calls::CallFilter;
use uuid::Uuid;

use crate::api::words::{CallDirection, CallOutcome, CallStatus, TestCalls};
use crate::app::App;
use crate::auth::Caller;
use crate::http::params::Params;
use crate::problem::ApiError;

/// Maximum number of contacts named in the audit event of a search; its count includes all.
pub(in crate::api) const MAX_NAMED: usize = 256;

/// A filter, and the contacts that a search by number or e-mail address found.
pub struct Search {
    /// Conditions on the calls.
    pub filter: CallFilter,
    /// Contacts that were found; `None` without a search for a person.
    found: Option<Vec<SubjectId>>,
}

/// Parses the filter parameters of a query and resolves a phone number or e-mail address.
///
/// # Errors
/// 400 for a malformed parameter, named in the answer; 403 and 429 for a search for a person without the scope or above the rate limit.
pub async fn parse_filter(
    app: &App,
    caller: &Caller,
    params: &mut Params,
) -> Result<Search, ApiError> {
    let from = params.time("from")?;
    let to = params.time("to")?;
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(ApiError::parameter("from", "it lies after to"));
    }
    let mut filter = CallFilter {
        from,
        to,
        provider_call_id: params.optional("provider_call_id")?.as_deref().map(fact_id),
        direction: params.one_of("direction", CallDirection::ALL)?,
        status: params.one_of("status", CallStatus::ALL)?,
        outcome: params.one_of("outcome", CallOutcome::ALL)?,
        ended_reason: params.optional("ended_reason")?,
        agent_id: params.optional("agent_id")?.as_deref().map(fact_id),
        tool: params.optional("tool")?,
        min_cost_nanos: params.number("min_cost_nanos")?,
        contact_id: contact_id(params)?,
        phone: None,
        email: None,
        has_appointment: params.parse("has_appointment", "true or false")?,
        tag: params.not_empty("tag")?.as_deref().map(normal_form),
        disposition: disposition(app, caller, params).await?,
        campaign: params.not_empty("campaign")?,
        attempt: params.number("attempt")?,
        call_type: params.not_empty("call_type")?.as_deref().map(Spellings::of_call_type),
        is_test: is_test(params)?,
    };
    let found = search(app, caller, params, &mut filter).await?;
    Ok(Search { filter, found })
}

/// Records a search by number or e-mail address in the audit trail, since it reveals a person's calls
/// whatever the answer contains.
///
/// # Errors
/// 503 if the event could not be appended.
pub async fn audit_search(app: &App, caller: &Caller, search: &Search) -> Result<(), ApiError> {
    let Some(found) = &search.found else { return Ok(()) };
    let named = found.iter().copied().take(MAX_NAMED).collect();
    caller.audit_personal_read(app, "calls.find", None, found.len(), named).await
}

/// Parses a phone number from the query. An unencoded plus arrives as a blank, so a blank before the first
/// digit marks an international number.
pub(in crate::api) fn parse_phone(asked: &str, country: Option<&str>) -> Result<Handle, ApiError> {
    let national = asked.trim_start_matches(' ');
    if national.len() < asked.len() && national.starts_with(|c: char| c.is_numeric()) {
        return Handle::typed_phone(&format!("+{national}"), None).ok_or_else(|| {
            let detail = "it begins with a blank, which is what a + that is not encoded becomes, and is no \
                          telephone number with a + before it; write %2B for a +, and no blank before national digits";
            ApiError::parameter("phone", detail)
        });
    }
    Handle::typed_phone(asked, country).ok_or_else(|| {
        let detail = if country.is_some_and(|country| !country.is_empty()) {
            "it is no telephone number"
        } else {
            "it is no telephone number; without a country of the tenant only international ones are, such as +15550100123"
        };
        ApiError::parameter("phone", detail)
    })
}

/// Removes the disposition, in each spelling that a catalogue of the tenant has had: `-`, `_` and blanks are not
/// distinguished there.
async fn disposition(
    app: &App,
    caller: &Caller,
    params: &mut Params,
) -> Result<Option<Spellings>, ApiError> {
    let Some(text) = params.not_empty("disposition")? else { return Ok(None) };
    let settings = app.store.call_settings(caller.tenant_id()).await?;
    Ok(Some(settings.disposition_spellings(&text)))
}

/// Removes `is_test`. `None` includes test calls and others, and is the default.
fn is_test(params: &mut Params) -> Result<Option<bool>, ApiError> {
    let word = params.one_of("is_test", TestCalls::ALL)?;
    Ok(word.filter(|word| word != "any").map(|word| word == "true"))
}

fn contact_id(params: &mut Params) -> Result<Option<Uuid>, ApiError> {
    let id = params.not_empty("contact_id")?;
    let parse = |id: String| id.parse();
    id.map(parse)
        .transpose()
        .map_err(|_| ApiError::parameter("contact_id", "it is not the id of a contact"))
}

/// Resolves the phone number or e-mail address of the query. An unknown one matches no call.
async fn search(
    app: &App,
    caller: &Caller,
    params: &mut Params,
    filter: &mut CallFilter,
) -> Result<Option<Vec<SubjectId>>, ApiError> {
    let (phone, email) = (params.not_empty("phone")?, params.not_empty("email")?);
    if phone.is_none() && email.is_none() {
        return Ok(None);
    }
    caller.require_lookup(app, "calls.find").await?;
    let mut found = Vec::new();
    if let Some(phone) = phone {
        let country = app.store.country(caller.tenant_id()).await?;
        let handle = parse_phone(&phone, country.as_deref())?;
        filter.phone = Some(ids_of_handle(app, caller, &handle, &mut found).await?);
    }
    if let Some(email) = email {
        if normalise_email(&email).is_none() {
            return Err(ApiError::parameter("email", "it is no e-mail address"));
        }
        // A placeholder address identifies no person and matches no call.
        filter.email = Some(match Handle::email(&email) {
            Some(handle) => ids_of_handle(app, caller, &handle, &mut found).await?,
            None => Vec::new(),
        });
    }
    found.sort_unstable();
    found.dedup();
    Ok(Some(found))
}

/// Returns the ids that the calls of a handle are indexed by: the handle's id, and the contacts with this
/// handle, for calls recorded before handles had ids.
async fn ids_of_handle(
    app: &App,
    caller: &Caller,
    handle: &Handle,
    found: &mut Vec<SubjectId>,
) -> Result<Vec<Uuid>, ApiError> {
    let HandleMatches { handle_id, contacts } =
        app.store.vault().find(caller.tenant_id(), handle).await?;
    let by_contact = contacts.iter().map(|contact| contact.0);
    let ids = handle_id.map(|handle| handle.0).into_iter().chain(by_contact).collect();
    found.extend(contacts);
    Ok(ids)
}
