//! Settings of bookings, and the look-up of free times.
//!
//! Bookings themselves are commands of `ledger_core::booking::Bookings` for [`Store::execute`].

mod agreement;
mod async_tools;

use std::sync::Arc;

use chrono_tz::Tz;
use ledger_core::aggregate::Aggregate;
use ledger_core::booking::availability::{self, Offer, Query};
use ledger_core::booking::settings::change::{BookingSettingsChange, SetBookingSetting, Values};
use ledger_core::booking::settings::resources::Resources;
use ledger_core::booking::{BookingEvent, BookingSettings, BookingState, Bookings, Refusal};
use ledger_core::event::{Event, TenantEvent};
use ledger_core::identity::PersonIdentifiers;
use ledger_core::ids::{EventId, Position, TenantId};
use ledger_core::personal::ResourceNames;
use ledger_core::section::SectionName;
use ledger_core::settings::{BookingSetting, InvalidSetting};
use thiserror::Error;

use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;
use crate::execute::{CommandContext, ExecuteError, load_streams};
use crate::read::StoredEvent;
use crate::seal::Opened;
use crate::settings_cache::CachedBookings;
use crate::tenant_tx::TenantTx;
use crate::vault::SectionColumn;

/// Look-ups of free times of one tenant in progress at the same time, so that the others keep their
/// connections.
const MAX_AT_ONCE: usize = 3;

pub use agreement::BookingsCheck;
pub use async_tools::AsyncTool;

/// The reason for which there are no offers.
#[derive(Debug, Error)]
pub enum AvailabilityError {
    /// The query is refused.
    #[error("the query is refused")]
    Refused(#[source] Refusal),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The stored settings, with the sealed names of resources.
struct StoredSettings {
    values: Values,
    /// Event and sections of the current resources.
    names: Option<(EventId, Vec<u8>)>,
}

impl Store {
    /// Returns the settings that a decision on a booking depends on, without the names of resources;
    /// `None` if there is no such tenant. A change made elsewhere takes effect within seconds.
    ///
    /// # Errors
    /// The database did not answer, or a row breaks a rule of this code.
    pub async fn booking_settings(
        &self,
        tenant_id: TenantId,
    ) -> Result<Option<Arc<BookingSettings>>, StoreError> {
        Ok(self.cached_bookings(tenant_id).await?.map(|known| known.settings))
    }

    /// Returns the settings that a decision depends on with the names of resources, if they have any;
    /// `None` if there is no such tenant.
    pub(crate) async fn booking_settings_with_names(
        &self,
        tenant_id: TenantId,
    ) -> Result<Option<Arc<BookingSettings>>, StoreError> {
        let known = self.cached_bookings(tenant_id).await?;
        let Some(CachedBookings { settings, names }) = known else { return Ok(None) };
        let Some(names) = names else { return Ok(Some(settings)) };
        let resources = self.named(tenant_id, settings.resources.clone(), &names).await?;
        Ok(Some(Arc::new(BookingSettings { resources, ..(*settings).clone() })))
    }

    async fn cached_bookings(
        &self,
        tenant_id: TenantId,
    ) -> Result<Option<CachedBookings>, StoreError> {
        if let Some(known) = self.settings_cache.bookings(tenant_id) {
            return Ok(Some(known));
        }
        let cache_version = self.settings_cache.version();
        let mut tx = TenantTx::begin(&self.commands, tenant_id).await?;
        let zone = sqlx::query_scalar!(
            "select timezone from ledger.tenants where tenant_id = $1",
            tenant_id.0
        )
        .fetch_optional(tx.conn())
        .await?;
        let Some(zone) = zone else { return Ok(None) };
        let corrupt = |_| StoreError::Corrupt { table: "ledger.tenants", column: "timezone" };
        let zone: Tz = zone.parse().map_err(corrupt)?;
        let StoredSettings { values, names } = stored(&mut tx).await?;
        let Values { version, hours, resources, services, rules, reminders } = values;
        let settings =
            BookingSettings { zone, version, hours, resources, services, rules, reminders };
        let bookings = CachedBookings { settings: Arc::new(settings), names: names.map(Arc::new) };
        self.settings_cache.insert_bookings(cache_version, tenant_id, &bookings);
        Ok(Some(bookings))
    }

    /// Returns the current settings with the names of resources, as they are in the log.
    ///
    /// # Errors
    /// The database did not answer, or the keys are not available.
    pub async fn booking_settings_in_full(
        &self,
        tenant_id: TenantId,
    ) -> Result<Values, StoreError> {
        let mut tx = TenantTx::begin(&self.commands, tenant_id).await?;
        let StoredSettings { mut values, names } = stored(&mut tx).await?;
        drop(tx);
        if let Some(names) = names {
            values.resources = self.named(tenant_id, values.resources, &names).await?;
        }
        Ok(values)
    }

    /// Returns the resources with their names from the sealed sections of an event.
    async fn named(
        &self,
        tenant_id: TenantId,
        mut resources: Resources,
        (event_id, sections): &(EventId, Vec<u8>),
    ) -> Result<Resources, StoreError> {
        let column = (SectionColumn::Sections(*event_id), sections.as_slice());
        let opened = self.vault.open(tenant_id, &[column]).await?;
        for section in opened.into_iter().flatten() {
            if let (SectionName::Names, Opened::Clear(plain)) = (section.name, section.plain) {
                let corrupt =
                    |_| StoreError::Corrupt { table: "ledger.events", column: "sections" };
                let names: ResourceNames =
                    serde_json::from_slice(&plain.reveal()).map_err(corrupt)?;
                resources = resources.with_names(&names);
            }
        }
        Ok(resources)
    }

    /// Sets a setting of bookings. Returns the position of its event; `None` if it has this value.
    /// Takes effect in this process at once, in others within seconds.
    ///
    /// # Errors
    /// [`ExecuteError`]; rejected for a service on a resource that there is not. An inactive tenant is
    /// refused by the log.
    pub async fn set_booking_setting(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        setting: BookingSetting,
    ) -> Result<Option<Position>, ExecuteError<InvalidSetting>> {
        let mut names_differ = false;
        let mut subject = None;
        if let BookingSetting::Resources(resources) = &setting {
            let current = self.booking_settings_in_full(tenant_id).await?;
            names_differ = current.resources.names() != resources.names();
            if !resources.names().0.is_empty() {
                // The names are sealed for a subject of the settings' own.
                let stream_id = tenant_id.settings_stream();
                let resolved =
                    self.vault.resolve(tenant_id, stream_id, PersonIdentifiers::default()).await;
                subject = Some(resolved.map_err(StoreError::from)?.subject);
            }
        }
        let context = CommandContext { tenant_id, by: *by, content: None, subject };
        let command = SetBookingSetting { setting, names_differ };
        let done = self.execute::<BookingSettingsChange>(&context, &command).await?;
        self.settings_cache.invalidate(tenant_id);
        Ok(done.position)
    }

    /// Returns free times of a tenant, at most `limit`. What is offered can be booked until something
    /// else takes it.
    ///
    /// # Errors
    /// [`AvailabilityError`]
    pub async fn availability(
        &self,
        tenant_id: TenantId,
        settings: &BookingSettings,
        query: &Query,
        limit: usize,
    ) -> Result<Vec<Offer>, AvailabilityError> {
        let streams = availability::streams(tenant_id, settings, query);
        let streams = streams.map_err(AvailabilityError::Refused)?;
        let _share = self.availability.take(&tenant_id, MAX_AT_ONCE, 1).await;
        let mut tx = TenantTx::begin(&self.commands, tenant_id).await.map_err(StoreError::from)?;
        let events: Vec<BookingEvent> = load_streams(&mut tx, &streams).await?;
        drop(tx);
        let mut state = BookingState::default();
        for event in &events {
            Bookings::evolve(&mut state, event);
        }
        let now = self.clock.now_micros();
        availability::offers(settings, &state.schedule, now, query, limit)
            .map_err(AvailabilityError::Refused)
    }
}

/// Reads the latest event of each setting; the version of the stream is that of the settings.
async fn stored(tx: &mut TenantTx) -> Result<StoredSettings, StoreError> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_as!(
        StoredEvent,
        r#"
        select distinct on (event_type)
               position, stream_id, stream_kind, stream_version, event_id, event_type, schema_version,
               occurred_at, recorded_at, facts::text as "facts!", sections, null::bytea as bulk, subjects
          from ledger.events
         where tenant_id = $1 and stream_id = $2
         order by event_type, stream_version desc
        "#,
        tenant_id.0,
        tenant_id.settings_stream().0,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut settings = StoredSettings { values: Values::default(), names: None };
    let mut version = 0;
    for row in rows {
        let recorded = row.decode()?;
        version = version.max(recorded.stream_version.0);
        let Event::Tenant(event) = recorded.event else { continue };
        if matches!(event, TenantEvent::ResourcesSet(_)) {
            settings.names = row.sections.map(|sections| (recorded.event_id, sections));
        }
        BookingSettingsChange::evolve(&mut settings.values, &event);
    }
    settings.values.version = version;
    Ok(settings)
}
