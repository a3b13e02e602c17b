//! Whether a time can be booked: the functions that booking and availability share.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Timelike, Utc};

use super::interval::{Interval, Spans};
use super::local;
use super::names::{ResourceId, ServiceId};
use super::refusal::Refusal;
use super::schedule::{Occupant, Schedule};
use super::settings::resources::Resource;
use super::settings::rules::ClosureRule;
use super::settings::services::Service;
use super::settings::{BookingSettings, MAX_MINUTES};
use crate::event::SlotFacts;
use crate::ids::AppointmentId;

/// What is wanted, without a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kind {
    /// The service; `None` for an appointment without one.
    pub service: Option<ServiceId>,
    /// The resource; `None` for any.
    pub resource: Option<ResourceId>,
    /// The length in minutes; `None` for that of the service, or the default.
    pub minutes: Option<u32>,
}

/// The lengths and resources of a wanted appointment, looked up in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape<'s> {
    length: TimeDelta,
    before: TimeDelta,
    after: TimeDelta,
    /// The service, if one is wanted.
    pub service: Option<&'s Service>,
    /// The resources in question, in the order of the settings; at least one.
    pub resources: Vec<&'s Resource>,
}

/// An appointment's time, without and with its buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The appointment.
    pub appointment: Interval,
    /// The blocked interval.
    pub blocked: Interval,
}

impl<'s> Shape<'s> {
    /// Looks up what is wanted.
    ///
    /// # Errors
    /// [`Refusal`] for a service or resource that does not exist or does not fit, and for a length
    /// outside 1 minute to 24 hours.
    pub fn of(settings: &'s BookingSettings, kind: &Kind) -> Result<Self, Refusal> {
        let service = kind.service.as_ref().and_then(|id| settings.service(id));
        // Without a list of services, a service is a word that is recorded and has no rules.
        let is_listed = service.is_some() || settings.services.as_slice().is_empty();
        if kind.service.is_some() && !is_listed {
            return Err(Refusal::UnknownService);
        }
        let usual = service.map_or(settings.rules.default_minutes, |service| service.minutes);
        let minutes = kind.minutes.unwrap_or(usual);
        let buffer = |minutes: Option<u32>| TimeDelta::minutes(i64::from(minutes.unwrap_or(0)));
        Ok(Self {
            length: length(minutes)?,
            before: buffer(service.map(|service| service.buffer_before_minutes)),
            after: buffer(service.map(|service| service.buffer_after_minutes)),
            service,
            resources: resources(settings, service, kind.resource.as_ref())?,
        })
    }

    /// The same with the buffers of an earlier booking, whose service no longer exists.
    #[must_use]
    pub fn with_buffers_of(mut self, slot: &SlotFacts) -> Self {
        self.before = slot.starts_at - slot.blocked_from;
        self.after = slot.blocked_until - slot.ends_at;
        self
    }

    /// The times of an appointment with this start; `None` outside the range of dates.
    #[must_use]
    pub fn at(&self, start: DateTime<Utc>) -> Option<Times> {
        let end = start.checked_add_signed(self.length)?;
        let from = start.checked_sub_signed(self.before)?;
        let until = end.checked_add_signed(self.after)?;
        let (appointment, blocked) = (Interval::new(start, end)?, Interval::new(from, until)?);
        Some(Times { appointment, blocked })
    }

    /// Buffer before the appointment.
    #[must_use]
    pub const fn before(&self) -> TimeDelta {
        self.before
    }
}

/// Checks a length in minutes.
fn length(minutes: u32) -> Result<TimeDelta, Refusal> {
    let fits = (1..=MAX_MINUTES).contains(&minutes);
    fits.then(|| TimeDelta::minutes(i64::from(minutes))).ok_or(Refusal::InvalidDuration)
}

fn resources<'s>(
    settings: &'s BookingSettings,
    service: Option<&Service>,
    wanted: Option<&ResourceId>,
) -> Result<Vec<&'s Resource>, Refusal> {
    let listed = service.map(|service| &service.resources).filter(|listed| !listed.is_empty());
    let fits = |resource: &&Resource| listed.is_none_or(|listed| listed.contains(&resource.id));
    let Some(id) = wanted else {
        let fitting: Vec<_> = settings.resources.as_slice().iter().filter(fits).collect();
        return if fitting.is_empty() { Err(Refusal::NoResource) } else { Ok(fitting) };
    };
    let resource = settings.resource(id).ok_or(Refusal::UnknownResource)?;
    if fits(&resource) { Ok(vec![resource]) } else { Err(Refusal::UnfitResource) }
}

/// Checks the start of an appointment against the time of the command.
///
/// # Errors
/// [`Refusal`] for a start in the past, within the notice, past the horizon, or with seconds.
pub fn check_start(
    settings: &BookingSettings,
    now: DateTime<Utc>,
    start: DateTime<Utc>,
) -> Result<(), Refusal> {
    let rules = &settings.rules;
    let ahead = start.signed_duration_since(now);
    // A slot of this very minute can be booked until the minute is over.
    let minute = now.with_second(0).and_then(|now| now.with_nanosecond(0)).unwrap_or(now);
    if start < minute {
        return Err(Refusal::Past);
    }
    let notice = TimeDelta::minutes(i64::from(rules.minimum_notice_minutes));
    if notice > TimeDelta::zero() && ahead < notice {
        return Err(Refusal::TooShortNotice);
    }
    if ahead > TimeDelta::days(i64::from(rules.horizon_days)) {
        return Err(Refusal::TooFarAhead);
    }
    if start.second() != 0 || start.nanosecond() != 0 {
        return Err(Refusal::InvalidStart);
    }
    Ok(())
}

/// Returns the UTC days of a resource that a decision on these times depends on: those of the blocked
/// interval, and with a daily limit those of the local day too.
#[must_use]
pub fn days(settings: &BookingSettings, times: Times) -> Vec<NaiveDate> {
    let mut days: Vec<_> = times.blocked.utc_days().collect();
    if settings.rules.daily_limit.is_some() {
        let date = local::date(settings.zone, times.appointment.start());
        days.extend(local::day(settings.zone, date).into_iter().flat_map(Interval::utc_days));
        days.sort_unstable();
        days.dedup();
    }
    days
}

/// What a resource has free in a range of time.
#[derive(Debug, Clone)]
pub struct Occupancy<'s> {
    settings: &'s BookingSettings,
    /// The resource.
    pub resource: &'s Resource,
    open: Spans,
    closed: Spans,
    full: Spans,
    /// Number of appointments and holds that start on each local day.
    starts: BTreeMap<NaiveDate, u32>,
    /// Number of appointments and holds that touch each UTC day.
    load: BTreeMap<NaiveDate, u32>,
}

impl<'s> Occupancy<'s> {
    /// Builds the occupancy from the loaded days. Times in `range` can be checked. An appointment
    /// that is to be moved is left out.
    #[must_use]
    pub fn of(
        settings: &'s BookingSettings,
        resource: &'s Resource,
        schedule: &Schedule,
        (now, range): (DateTime<Utc>, Interval),
        moved: Option<AppointmentId>,
    ) -> Self {
        let entries = schedule.live(&resource.id, now);
        let (mut closed, mut taken) = (Vec::new(), Vec::new());
        let (mut starts, mut load) = (BTreeMap::new(), BTreeMap::new());
        for (id, entry) in entries {
            if moved.is_some_and(|moved| moved.0 == id) {
                continue;
            }
            let Some(slot) = &entry.slot else {
                closed.push(entry.blocked);
                continue;
            };
            taken.push(entry.blocked);
            *starts.entry(local::date(settings.zone, slot.starts_at)).or_default() += 1;
            for day in entry.blocked.utc_days() {
                *load.entry(day).or_default() += 1;
            }
        }
        let capacity = usize::try_from(resource.capacity).unwrap_or(usize::MAX);
        Self {
            settings,
            resource,
            open: settings.hours_of(resource).around(settings.zone, range),
            closed: Spans::union(closed),
            full: Spans::full(taken, capacity),
            starts,
            load,
        }
    }

    /// Checks whether an appointment fits.
    ///
    /// # Errors
    /// [`Refusal::OutsideHours`], [`Refusal::Closed`], [`Refusal::SlotTaken`],
    /// [`Refusal::DailyLimit`].
    pub fn check(&self, times: Times) -> Result<(), Refusal> {
        let rules = &self.settings.rules;
        if !self.open.cover(times.appointment) {
            return Err(Refusal::OutsideHours);
        }
        let kept_open = match rules.closures {
            ClosureRule::Appointment => times.appointment,
            ClosureRule::Buffers => times.blocked,
        };
        if self.closed.overlap(kept_open) {
            return Err(Refusal::Closed);
        }
        if self.full.overlap(times.blocked) {
            return Err(Refusal::SlotTaken);
        }
        let date = local::date(self.settings.zone, times.appointment.start());
        let that_day = self.starts.get(&date).copied().unwrap_or(0);
        if rules.daily_limit.is_some_and(|limit| that_day >= limit) {
            return Err(Refusal::DailyLimit);
        }
        Ok(())
    }

    /// Number of appointments and holds on the UTC days that the times touch.
    fn load(&self, times: Times) -> u32 {
        let load = |day| self.load.get(&day).copied().unwrap_or(0);
        times.blocked.utc_days().map(load).sum()
    }

    /// Starts at which a taken time or a closure has just ended.
    pub(super) fn starts_after(&self, shape: &Shape<'_>) -> impl Iterator<Item = DateTime<Utc>> {
        let before = shape.before();
        let closure_buffer = match self.settings.rules.closures {
            ClosureRule::Appointment => TimeDelta::zero(),
            ClosureRule::Buffers => before,
        };
        let taken = self.full.as_slice().iter().map(move |span| span.end() + before);
        let closed = self.closed.as_slice().iter().map(move |span| span.end() + closure_buffer);
        taken.chain(closed)
    }
}

/// Chooses the resource of an appointment: of those on which it fits, the one with the fewest
/// appointments on these days, and of equal ones the first in the order of the settings.
///
/// # Errors
/// The refusal of the only resource. Of several: [`Refusal::SlotTaken`] if one of them is taken,
/// otherwise the refusal of the first.
pub fn choose(occupancies: &[Occupancy<'_>], times: Times) -> Result<usize, Refusal> {
    let mut refused = None;
    let mut chosen: Option<(u32, usize)> = None;
    for (nth, occupancy) in occupancies.iter().enumerate() {
        match occupancy.check(times) {
            Ok(()) => {
                let load = occupancy.load(times);
                if chosen.is_none_or(|(least, _)| load < least) {
                    chosen = Some((load, nth));
                }
            }
            Err(Refusal::SlotTaken) => refused = Some(Refusal::SlotTaken),
            Err(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    chosen.map(|(_, nth)| nth).ok_or(refused.unwrap_or(Refusal::UnknownResource))
}

/// The slot of an appointment on a resource, as facts.
#[must_use]
pub fn slot_facts(resource: &Resource, times: Times) -> SlotFacts {
    SlotFacts {
        resource: resource.id.clone(),
        starts_at: times.appointment.start(),
        ends_at: times.appointment.end(),
        blocked_from: times.blocked.start(),
        blocked_until: times.blocked.end(),
    }
}

/// Whether a live appointment on one of the resources has the same wish.
pub(super) fn same_wish(
    schedule: &Schedule,
    resources: &[&Resource],
    wish: &crate::event::WishFacts,
    now: DateTime<Utc>,
) -> Option<AppointmentId> {
    resources.iter().flat_map(|resource| schedule.live(&resource.id, now)).find_map(|(_, entry)| {
        let Occupant::Appointment { appointment_id, wish: earlier } = &entry.occupant else {
            return None;
        };
        // Two known people of one call want two appointments.
        let same_call = wish.call.is_some()
            && wish.call == earlier.call
            && !(wish.is_known && earlier.is_known);
        (same_call || wish.contact == earlier.contact).then_some(*appointment_id)
    })
}
