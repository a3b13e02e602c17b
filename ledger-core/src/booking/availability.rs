//! Free times: what can be booked in a range, by the same functions as booking.
//!
//! Offered starts are whole steps from the beginning of an opening, the ends of taken times and
//! closures, and the beginning of the range. A range of one minute therefore answers whether
//! its start can be booked.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::interval::Interval;
use super::names::ResourceId;
use super::refusal::Refusal;
use super::schedule::{self, Schedule};
use super::settings::BookingSettings;
use super::settings::hours;
use super::slot::{Kind, Occupancy, Shape, check_start, choose};
use crate::aggregate::Stream;
use crate::ids::TenantId;

/// Longest range of starts, in days.
pub const MAX_DAYS: i64 = 31;
/// Maximum number of days, times the number of resources.
pub const MAX_RESOURCE_DAYS: usize = 400;
/// Maximum number of offers.
pub const MAX_OFFERS: usize = 200;

/// A question for free times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Service, resource and length.
    pub kind: Kind,
    /// Earliest start.
    pub from: DateTime<Utc>,
    /// End of the starts; not part of the range.
    pub until: DateTime<Utc>,
}

/// A time that can be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Start of the appointment.
    pub starts_at: DateTime<Utc>,
    /// End of the appointment.
    pub ends_at: DateTime<Utc>,
    /// The resource that a booking of any resource would get.
    pub resource: ResourceId,
}

/// A checked query: the starts, and all time that they can block.
struct Checked<'s> {
    shape: Shape<'s>,
    starts: Interval,
    blocked: Interval,
}

fn check<'s>(settings: &'s BookingSettings, query: &Query) -> Result<Checked<'s>, Refusal> {
    let shape = Shape::of(settings, &query.kind)?;
    let starts = Interval::new(query.from, query.until).ok_or(Refusal::InvalidPeriod)?;
    let days = (query.until - query.from).num_days() + 1;
    let resource_days =
        usize::try_from(days).unwrap_or(usize::MAX).saturating_mul(shape.resources.len());
    if query.until - query.from > TimeDelta::days(MAX_DAYS) || resource_days > MAX_RESOURCE_DAYS {
        return Err(Refusal::InvalidPeriod);
    }
    let first = shape.at(query.from).ok_or(Refusal::InvalidPeriod)?;
    let last = shape.at(query.until).ok_or(Refusal::InvalidPeriod)?;
    // A day more on both sides, for the daily limit of a local day.
    let day = TimeDelta::days(if settings.rules.daily_limit.is_some() { 2 } else { 0 });
    let from = first.blocked.start().checked_sub_signed(day);
    let until = last.blocked.end().checked_add_signed(day);
    let blocked = from.zip(until).and_then(|(from, until)| Interval::new(from, until));
    Ok(Checked { shape, starts, blocked: blocked.ok_or(Refusal::InvalidPeriod)? })
}

/// Returns the streams to load and fold into the [`Schedule`] for [`offers`].
///
/// # Errors
/// As for [`offers`].
pub fn streams(
    tenant_id: TenantId,
    settings: &BookingSettings,
    query: &Query,
) -> Result<Vec<Stream>, Refusal> {
    let Checked { shape, blocked, .. } = check(settings, query)?;
    let days = |id| blocked.utc_days().map(move |day| schedule::stream(tenant_id, id, day));
    Ok(shape.resources.iter().flat_map(|resource| days(&resource.id)).collect())
}

/// Returns free times in order, at most `limit` and [`MAX_OFFERS`], each start once.
///
/// # Errors
/// [`Refusal::InvalidPeriod`] for a range that is empty or too long, and the refusals of
/// [`Shape::of`].
pub fn offers(
    settings: &BookingSettings,
    schedule: &Schedule,
    now: DateTime<Utc>,
    query: &Query,
    limit: usize,
) -> Result<Vec<Offer>, Refusal> {
    let Checked { shape, starts, blocked } = check(settings, query)?;
    let occupancy = |resource| Occupancy::of(settings, resource, schedule, (now, blocked), None);
    let occupancies: Vec<_> = shape.resources.iter().copied().map(occupancy).collect();
    let mut offers = Vec::new();
    for start in candidates(settings, &shape, &occupancies, starts) {
        if offers.len() >= limit.min(MAX_OFFERS) {
            break;
        }
        if check_start(settings, now, start).is_err() {
            continue;
        }
        let Some(times) = shape.at(start) else { continue };
        if let Ok(nth) = choose(&occupancies, times) {
            let resource = occupancies[nth].resource.id.clone();
            offers.push(Offer { starts_at: start, ends_at: times.appointment.end(), resource });
        }
    }
    Ok(offers)
}

/// The starts in question, in order.
fn candidates(
    settings: &BookingSettings,
    shape: &Shape<'_>,
    occupancies: &[Occupancy<'_>],
    starts: Interval,
) -> BTreeSet<DateTime<Utc>> {
    let is_in_range = |start: &DateTime<Utc>| (starts.start()..starts.end()).contains(start);
    let mut candidates = BTreeSet::from([starts.start()]);
    for occupancy in occupancies {
        candidates.extend(occupancy.starts_after(shape).filter(is_in_range));
        let open = settings.hours_of(occupancy.resource);
        for opening in
            hours::dates(settings.zone, starts).flat_map(|date| open.on(settings.zone, date))
        {
            candidates.extend(steps(settings, opening).filter(is_in_range));
        }
    }
    candidates
}

/// The whole steps of an opening.
fn steps(settings: &BookingSettings, opening: Interval) -> impl Iterator<Item = DateTime<Utc>> {
    let step = TimeDelta::minutes(i64::from(settings.rules.step_minutes));
    let next = move |start: &DateTime<Utc>| start.checked_add_signed(step);
    std::iter::successors(Some(opening.start()), next)
        .take_while(move |start| *start < opening.end())
}
