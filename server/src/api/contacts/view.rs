//! JSON views of a contact.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ledger_core::contact::{CustomValue, Word};
use ledger_core::event::ContactField;
use ledger_core::personal::mask_phone;
use ledger_store::vault::ContactFacts;
use projections::contacts::{Contact, ListedContact};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::opened::{OpenedContact, newest};

/// A contact. Unknown fields are null; none are estimated. Without scope `personal`, name, e-mail address,
/// external id and sealed custom fields are left out or null, and only the last two digits of the phone number are
/// visible. Values of contacts that were merged into it count as its own; of each field the newest is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ContactView {
    /// Id of the contact.
    contact_id: Uuid,
    /// Name, as a user set it or a call stated it last.
    name: Option<String>,
    /// Phone number in E.164, masked without scope `personal`.
    phone: Option<String>,
    /// E-mail address.
    email: Option<String>,
    /// Id in the systems of the tenant.
    external_id: Option<String>,
    /// Contacts that had one of its handles when it was made, and may be the same person.
    possible_duplicate_of: Vec<Uuid>,
    /// The contact that it was merged into, which stands for it.
    merged_into: Option<Uuid>,
    /// Segment.
    segment: Option<String>,
    /// Priority.
    priority: Option<String>,
    /// Tags, sorted.
    tags: Vec<String>,
    /// Custom fields by name: texts, whole numbers and booleans.
    #[schema(value_type = Object)]
    custom_fields: BTreeMap<String, Value>,
    /// Earliest time at which something about it is known.
    first_seen_at: DateTime<Utc>,
    /// Start of its last call. Test calls do not count in this field and the sums.
    last_call_at: Option<DateTime<Utc>>,
    /// Number of calls.
    total_calls: i64,
    /// Sum of the durations of its calls, in milliseconds.
    #[schema(value_type = i64)]
    total_duration_ms: i128,
    /// Sum of the costs of its calls in 1e-9 of the currency; null with several currencies.
    #[schema(value_type = Option<i64>)]
    total_cost_nanos: Option<i128>,
    /// Number of its appointments, whatever their status.
    appointments: i64,
    /// Number of its appointments to which it did not come.
    no_shows: i64,
    /// True if its key is destroyed, so that the fields cannot be read any more.
    erased: bool,
    /// True if the processing of the person's data is restricted, and the key lacks scope `compliance`; absent
    /// otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restricted: bool,
}

impl ContactView {
    /// Builds the view. `is_personal` states whether the caller has scope `personal`.
    pub(super) fn of(
        listed: &ListedContact,
        opened: &OpenedContact,
        facts: ContactFacts,
        is_personal: bool,
    ) -> Self {
        let OpenedContact { party, custom, .. } = opened;
        let clear = |value: &Option<String>| value.clone().filter(|_| is_personal);
        let phone = match &party.phone {
            Some(phone) if is_personal => Some(phone.clone()),
            phone => phone.as_deref().map(mask_phone),
        };
        let sealed = custom.0.iter().filter(|_| is_personal);
        let figures = &listed.figures;
        let total_cost_nanos = match figures.costs.as_slice() {
            [] => Some(0),
            [(_, cost)] => Some(*cost),
            _ => None,
        };
        let tags: BTreeSet<&String> = listed.members().flat_map(|member| &member.tags).collect();
        let contact = &listed.contact;
        Self {
            contact_id: contact.contact_id,
            name: clear(&party.name),
            phone,
            email: clear(&party.email),
            external_id: clear(&party.external_id),
            possible_duplicate_of: facts.possible_duplicate_of.iter().map(|one| one.0).collect(),
            merged_into: contact.merged_into.or(facts.merged_into.map(|into| into.0)),
            segment: of_newest(listed, ContactField::Segment)
                .and_then(|member| member.segment.clone()),
            priority: of_newest(listed, ContactField::Priority)
                .and_then(|member| member.priority.clone()),
            tags: tags.into_iter().cloned().collect(),
            custom_fields: sealed.chain(clear_fields(listed)).map(json).collect(),
            first_seen_at: listed
                .members()
                .map(|member| member.first_seen_at)
                .min()
                .unwrap_or(contact.first_seen_at),
            last_call_at: figures.last_call_at,
            total_calls: figures.calls,
            total_duration_ms: figures.duration_ms,
            total_cost_nanos,
            appointments: figures.appointments,
            no_shows: figures.no_shows,
            erased: opened.is_erased,
            restricted: opened.is_restricted,
        }
    }
}

/// The contact or part with the newest value of a field in the clear.
fn of_newest(listed: &ListedContact, field: ContactField) -> Option<&Contact> {
    let claim = newest(listed, field)?;
    listed.members().find(|member| member.claims.fields.get(&field) == Some(claim))
}

fn clear_fields(listed: &ListedContact) -> impl Iterator<Item = (&Word, &CustomValue)> {
    of_newest(listed, ContactField::CustomFields).into_iter().flat_map(|one| &one.claims.clear)
}

fn json((name, value): (&Word, &CustomValue)) -> (String, Value) {
    let value = match value {
        CustomValue::Flag(flag) => Value::from(*flag),
        CustomValue::Number(number) => Value::from(*number),
        CustomValue::Text(text) => Value::from(text.clone()),
    };
    (name.to_string(), value)
}
