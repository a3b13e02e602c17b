//! Loads and writes the rows of `contacts`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use ledger_store::StoreError;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::row::{Contact, copies};
use crate::copy::bytea;
use crate::projector::{ProjectError, TenantKeys};

/// Key of a contact: tenant id and contact id.
pub(super) type ContactKey = (TenantId, Uuid);

/// A row, with the names of the columns.
#[derive(Serialize)]
struct Columns<'a> {
    tenant_id: Uuid,
    contact_id: Uuid,
    merged_into: Option<Uuid>,
    first_seen_at: DateTime<Utc>,
    segment: Option<&'a str>,
    priority: Option<&'a str>,
    tags: Vec<&'a String>,
    claims: String,
    sections: Option<String>,
    position: i64,
    updated_at: DateTime<Utc>,
}

impl<'a> Columns<'a> {
    fn of(tenant_id: TenantId, row: &'a Contact) -> Self {
        Self {
            tenant_id: tenant_id.0,
            contact_id: row.contact_id,
            merged_into: row.merged_into,
            first_seen_at: row.first_seen_at,
            segment: row.segment.as_deref(),
            priority: row.priority.as_deref(),
            tags: row.tags.iter().collect(),
            claims: serde_json::to_string(&row.claims).expect("claims are plain data"),
            sections: row.packed().as_deref().map(bytea),
            position: row.position,
            updated_at: row.updated_at,
        }
    }
}

/// The columns of a stored row.
pub(super) struct StoredContact {
    pub(super) tenant_id: Uuid,
    pub(super) contact_id: Uuid,
    pub(super) merged_into: Option<Uuid>,
    pub(super) first_seen_at: DateTime<Utc>,
    pub(super) segment: Option<String>,
    pub(super) priority: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) claims: String,
    pub(super) sections: Option<Vec<u8>>,
    pub(super) position: i64,
    pub(super) updated_at: DateTime<Utc>,
}

impl StoredContact {
    /// Decodes the row.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the claims are not as this code writes them.
    pub(super) fn open(self) -> Result<Contact, StoreError> {
        let corrupt = |_| StoreError::Corrupt { table: "contacts", column: "claims" };
        Ok(Contact {
            contact_id: self.contact_id,
            merged_into: self.merged_into,
            first_seen_at: self.first_seen_at,
            segment: self.segment,
            priority: self.priority,
            tags: self.tags.into_iter().collect(),
            claims: serde_json::from_str(&self.claims).map_err(corrupt)?,
            sections: copies(self.sections.as_deref()).collect(),
            position: self.position,
            updated_at: self.updated_at,
        })
    }
}

/// Loads the stored rows of these contacts.
pub(super) async fn load(
    conn: &mut PgConnection,
    wanted: &[TenantKeys],
) -> Result<HashMap<ContactKey, Contact>, ProjectError> {
    let all = || wanted.iter().flat_map(|one| one.keys.iter().map(|key| (one.tenant, *key)));
    let tenants: Vec<Uuid> = all().map(|(tenant, _)| tenant.tenant_id.0).collect();
    let keys: Vec<Uuid> = all().map(|(_, key)| key).collect();
    // `offset 0` forces one index lookup per key, as for `calls`.
    let rows = sqlx::query_as!(
        StoredContact,
        r#"select k.tenant_id as "tenant_id!", c.contact_id as "contact_id!", c.merged_into,
                  c.first_seen_at as "first_seen_at!", c.segment, c.priority, c.tags as "tags!",
                  c.claims as "claims!", c.sections, c.position as "position!",
                  c.updated_at as "updated_at!"
             from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, contact_id)
            cross join lateral (select * from contacts
                                 where tenant_id = k.tenant_id and contact_id = k.contact_id
                                offset 0) c"#,
        &tenants,
        &keys,
    )
    .fetch_all(conn)
    .await?;
    let mut loaded = HashMap::with_capacity(rows.len());
    for row in rows {
        loaded.insert((TenantId(row.tenant_id), row.contact_id), row.open()?);
    }
    Ok(loaded)
}

pub(super) async fn upsert(
    conn: &mut PgConnection,
    rows: &[(TenantId, Contact)],
) -> Result<(), ProjectError> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<Columns<'_>> =
        rows.iter().map(|(tenant_id, row)| Columns::of(*tenant_id, row)).collect();
    sqlx::query!(
        "insert into contacts
         select * from json_populate_recordset(null::contacts, $1::text::json)
             on conflict (tenant_id, contact_id) do update
            set merged_into = excluded.merged_into, first_seen_at = excluded.first_seen_at,
                segment = excluded.segment, priority = excluded.priority, tags = excluded.tags,
                claims = excluded.claims, sections = excluded.sections,
                position = excluded.position, updated_at = excluded.updated_at",
        serde_json::to_string(&rows).expect("rows are plain data"),
    )
    .execute(conn)
    .await?;
    Ok(())
}
