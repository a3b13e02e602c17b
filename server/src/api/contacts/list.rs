//! `GET /v1/contacts`: contacts by filter, the one that was seen first most recently first.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_core::identity::{Handle, normal_name};
use ledger_core::ids::SubjectId;
use ledger_core::personal::normalise_email;
use ledger_store::read::{Page, PageSize};
use projections::contacts::{After, ContactFilter, list};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::opened::open;
use super::show::MODELS;
use super::view::ContactView;
use crate::api::calls::filter::{MAX_NAMED, parse_phone};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::http::consistency::begin_analytics_read;
use crate::http::operation::{Authorized, operation};
use crate::http::page::{next_cursor, page_params};
use crate::http::params::Params;
use crate::http::response::with_read_position;
use crate::http::times::is_rfc3339;
use crate::problem::{ApiError, Problem};

/// Maximum bytes of the rows of one page, unless its first row is larger.
const ROWS: usize = 1 << 20;

/// A page of contacts.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactPage {
    /// Contacts ordered by the time at which they were seen first, then id. Merged contacts are not listed.
    data: Vec<ContactView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// Cursor of the page: its last contact.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct ContactCursor {
    s: DateTime<Utc>,
    c: Uuid,
}

operation! {
    ListContacts {
        id: "list_contacts",
        action: "contacts.list",
        access: Read,
        audit: ReadsPersonalData,
    }
}

/// Lists contacts that match a filter, the one that was seen first most recently first.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/contacts", tag = "contacts",
    params(
        ("phone" = Option<String>, Query, min_length = 1, description = "Has this number now, in any form of it, with its extension if it has one; needs scope personal"),
        ("email" = Option<String>, Query, min_length = 1, description = "Has this e-mail address now; needs scope personal"),
        ("external_id" = Option<String>, Query, min_length = 1, description = "Has this id now; needs scope personal"),
        ("name" = Option<String>, Query, min_length = 1, description = "Has all of these words in its name, whole words in any order; needs scope personal"),
        ("tag" = Option<String>, Query, min_length = 1, description = "Has this tag"),
        ("segment" = Option<String>, Query, min_length = 1, description = "Has this segment"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = ContactPage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.contacts.list", skip_all)]
pub async fn handler(
    caller: Authorized<ListContacts>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let (limit, cursor) = page_params(&mut params, |last: &ContactCursor| is_rfc3339(last.s))?;
    let after = cursor.map(|last| After { first_seen_at: last.s, contact_id: last.c });
    let min_position = params.number("min_position")?;
    let (tag, segment) = (params.not_empty("tag")?, params.not_empty("segment")?);
    let found = search(&app, &caller, &mut params).await?;
    params.reject_unknown()?;
    if let Some(found) = &found {
        let named: Vec<SubjectId> = found.iter().copied().take(MAX_NAMED).collect();
        caller.audit_personal_read(&app, "contacts.find", None, found.len(), named).await?;
    }
    let contact_ids = found.map(|found| found.into_iter().map(|one| one.0).collect());
    let filter = ContactFilter { contact_ids, tag, segment };

    let (mut tx, reached) = begin_analytics_read(&app, &caller, MODELS, min_position).await?;
    let size = PageSize { rows: limit.rows(), bytes: ROWS };
    let Page { rows, has_more } = list(&mut tx, &filter, after, size).await?;
    drop(tx);
    let (vault, tenant_id) = (&app.vault_of(&caller), caller.tenant_id());
    let opened = open(vault, tenant_id, &rows).await?;
    let is_personal = caller.has(Scope::Personal);
    if is_personal && !rows.is_empty() {
        let mut subjects: Vec<_> = opened.iter().flat_map(|one| one.subjects.clone()).collect();
        subjects.sort_unstable();
        subjects.dedup();
        caller.audit_personal_read(&app, "contacts.list", None, rows.len(), subjects).await?;
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.contact.contact_id).collect();
    let facts = vault.contact_facts(tenant_id, &ids).await?;
    let next_cursor = next_cursor(&rows, has_more, |row| ContactCursor {
        s: row.contact.first_seen_at,
        c: row.contact.contact_id,
    });
    let data = rows.iter().zip(&opened).map(|(row, opened)| {
        let facts = facts.get(&row.contact.contact_id).copied().unwrap_or_default();
        ContactView::of(row, opened, facts, is_personal)
    });
    Ok(with_read_position(ContactPage { data: data.collect(), next_cursor }, reached))
}

/// Finds the contacts with all of the handles and words of the query; `None` if it names none.
async fn search(
    app: &App,
    caller: &Caller,
    params: &mut Params,
) -> Result<Option<Vec<SubjectId>>, ApiError> {
    let asked = [
        params.not_empty("phone")?,
        params.not_empty("email")?,
        params.not_empty("external_id")?,
        params.not_empty("name")?,
    ];
    if asked.iter().all(Option::is_none) {
        return Ok(None);
    }
    caller.require_lookup(app, "contacts.find").await?;
    let (vault, tenant_id) = (app.store.vault(), caller.tenant_id());
    let [phone, email, external_id, name] = asked;
    let mut found: Vec<Vec<SubjectId>> = Vec::new();
    if let Some(phone) = phone {
        let country = app.store.country(tenant_id).await?;
        let handle = parse_phone(&phone, country.as_deref())?;
        found.push(vault.contacts_with(tenant_id, &handle).await?);
    }
    if let Some(email) = email {
        if normalise_email(&email).is_none() {
            return Err(ApiError::parameter("email", "it is no e-mail address"));
        }
        found.push(with(app, caller, Handle::email(&email)).await?);
    }
    if let Some(external_id) = external_id {
        found.push(with(app, caller, Handle::external_id(&external_id)).await?);
    }
    if let Some(name) = name {
        let name = normal_name(&name);
        let name = name.ok_or_else(|| ApiError::parameter("name", "it is no name"))?;
        found.push(vault.contacts_named(tenant_id, &name).await?);
    }
    let mut found = found.into_iter();
    let mut all = found.next().unwrap_or_default();
    for other in found {
        all.retain(|contact| other.contains(contact));
    }
    Ok(Some(all))
}

/// The contacts with a handle. A placeholder identifies no person.
async fn with(
    app: &App,
    caller: &Caller,
    handle: Option<Handle>,
) -> Result<Vec<SubjectId>, ApiError> {
    match handle {
        Some(handle) => Ok(app.store.vault().contacts_with(caller.tenant_id(), &handle).await?),
        None => Ok(Vec::new()),
    }
}
