//! The items of a phrase by kind.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::grammar::made;
use super::super::item::{Clock, Day, DayPart, Hint, Item, Numeric, Wish, Zone};
use super::super::{Question, Refusal};

/// The items of a phrase by kind. Several days or clocks must agree, unless they are alternatives.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    pub(super) days: Vec<Day>,
    pub(super) clocks: Vec<Clock>,
    /// Whether the days are alternatives.
    pub(super) are_days_alternatives: bool,
    pub(super) are_clocks_alternatives: bool,
    /// End of a range whose start is the clock.
    pub(super) until: Option<Clock>,
    pub(super) part: Option<DayPart>,
    pub(super) wish: Option<Wish>,
    pub(super) is_period: bool,
    pub(super) is_any_day: bool,
    pub(super) holiday: Option<Option<(u32, u32)>>,
    pub(super) length: Option<u32>,
    pub(super) zone: Option<Zone>,
    elapsed: Option<i64>,
    fixed: Option<DateTime<Utc>>,
    guess: Option<Question>,
    /// Whether something was taken back, or another value was announced.
    takes_back: bool,
}

impl Parts {
    /// Sorts the items.
    ///
    /// # Errors
    /// [`Refusal::Contradiction`] for two values where one is possible.
    pub(super) fn collected(items: Vec<Item>) -> Result<Self, Refusal> {
        let mut parts = Self::default();
        let mut pairs = Vec::new();
        let (mut is_other_day, mut is_other_clock) = (false, false);
        for item in items {
            let item = match item {
                Item::Guess(question, inner) => {
                    parts.guess = Some(question);
                    *inner
                }
                item => item,
            };
            match item {
                Item::Or | Item::Correction(_) => {
                    parts.takes_back |= item != Item::Correction(false);
                    (is_other_day, is_other_clock) = (true, true);
                }
                Item::Day(day) => {
                    parts.are_days_alternatives |= is_other_day && !parts.days.is_empty();
                    is_other_day = false;
                    parts.days.push(day);
                }
                Item::Clock(clock) => {
                    parts.are_clocks_alternatives |= is_other_clock && !parts.clocks.is_empty();
                    is_other_clock = false;
                    parts.clocks.push(clock);
                }
                Item::Pair(pair) => pairs.push(pair),
                other => parts.add(other)?,
            }
        }
        for pair in pairs {
            parts.add_pair(pair)?;
        }
        parts.settle_written();
        Ok(parts)
    }

    /// A part of the day decides about hours in two written digits; else they are exact.
    fn settle_written(&mut self) {
        let has_part = self.part.is_some();
        let wish = self.wish.iter_mut().flat_map(|wish| wish.from.iter_mut().chain(&mut wish.to));
        for clock in self.clocks.iter_mut().chain(&mut self.until).chain(wish) {
            *clock = match *clock {
                Clock::Written(time) if !has_part => Clock::Exact(time),
                clock => clock.with_half_named(),
            };
        }
    }

    fn add(&mut self, item: Item) -> Result<(), Refusal> {
        match item {
            Item::Range(start, end) => {
                self.clocks.push(start);
                set(&mut self.until, end)?;
            }
            Item::DayPart(part) => match (self.part, part) {
                // "Tonight" and "in the evening" mean the same hours.
                (Some(DayPart::Evening), DayPart::Night) => {}
                (Some(DayPart::Night), DayPart::Evening) => self.part = Some(part),
                _ => set(&mut self.part, part)?,
            },
            Item::Wish(wish) => self.wish = Some(wish),
            Item::Period => self.is_period = true,
            Item::AnyDay => self.is_any_day = true,
            Item::Holiday(date) => set(&mut self.holiday, date)?,
            Item::Elapsed(minutes) => set(&mut self.elapsed, minutes)?,
            Item::Instant(instant) => set(&mut self.fixed, instant)?,
            Item::Length(minutes) => set(&mut self.length, minutes)?,
            Item::Zone(zone) => match (&self.zone, zone) {
                // An offset beside the name of its zone decides.
                (Some(Zone::Offset(_)), Zone::Exact(_)) => {}
                (_, zone) => set(&mut self.zone, zone)?,
            },
            _ => {}
        }
        Ok(())
    }

    /// Two numbers are a date if there is no other, and a time or a range beside one.
    fn add_pair(&mut self, pair: Numeric) -> Result<(), Refusal> {
        let clock = |hour: u32, is_24_hour, minute: u32| {
            made(u64::from(hour), is_24_hour, u64::from(minute), 0, None)
        };
        let is_day_known = self.days.iter().any(Day::is_complete);
        let is_beside_day = is_day_known || !self.days.is_empty() && self.clocks.is_empty();
        let is_time_only = pair.second > 12 && pair.separator == '.' && self.clocks.is_empty();
        match pair.separator {
            '.' if pair.is_padded && (is_beside_day || is_time_only) => {
                self.clocks.push(clock(pair.first, pair.first_digits == 2, pair.second));
            }
            '-' if is_beside_day && self.clocks.is_empty() => {
                self.clocks.push(clock(pair.first, false, 0));
                set(&mut self.until, clock(pair.second, false, 0))?;
            }
            _ => self.days.push(Day::Numeric(pair)),
        }
        Ok(())
    }

    /// The question that remains whatever is resolved: a guess, or a correction without a value.
    pub(super) fn doubt(&self) -> Option<Question> {
        let is_unanswered =
            self.takes_back && !self.are_days_alternatives && !self.are_clocks_alternatives;
        self.guess.or(is_unanswered.then_some(Question::Time))
    }

    /// Why one of the times of day is none.
    pub(super) fn invalid_clock(&self) -> Option<(Refusal, Hint)> {
        let wish = self.wish.unwrap_or_default();
        let clocks = self.clocks.iter().chain(&self.until).chain(&wish.from).chain(&wish.to);
        clocks.copied().find_map(|clock| match clock {
            Clock::Invalid(reason, hint) => Some((reason, hint)),
            _ => None,
        })
    }

    /// The instant of elapsed time or of Unix time.
    ///
    /// # Errors
    /// [`Refusal::Contradiction`] beside another date or time, [`Refusal::Impossible`] beyond the
    /// calendar.
    pub(super) fn instant(
        &self,
        reference: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, Refusal> {
        let instant = match (self.elapsed, self.fixed) {
            (None, None) => return Ok(None),
            (Some(minutes), None) => {
                let delta = TimeDelta::try_minutes(minutes);
                let instant = delta.and_then(|delta| reference.checked_add_signed(delta));
                // Nobody means the seconds of the call.
                let seconds = instant.map_or(0, |instant| instant.timestamp().div_euclid(60) * 60);
                instant.and_then(|_| DateTime::from_timestamp(seconds, 0))
            }
            (None, fixed) => fixed,
            _ => return Err(Refusal::Contradiction),
        };
        let is_alone = self.days.is_empty()
            && self.clocks.is_empty()
            && self.wish.is_none()
            && self.part.is_none()
            && self.zone.is_none()
            && self.holiday.is_none()
            && !self.is_period
            && !self.is_any_day;
        if !is_alone {
            return Err(Refusal::Contradiction);
        }
        instant.map(Some).ok_or(Refusal::Impossible)
    }
}

fn set<T: PartialEq>(place: &mut Option<T>, value: T) -> Result<(), Refusal> {
    match place {
        Some(old) if *old != value => Err(Refusal::Contradiction),
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}
