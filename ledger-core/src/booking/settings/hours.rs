//! Opening hours: lists of wall-clock intervals for the weekdays, and other lists for single dates.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::booking::interval::{Interval, Spans};
use crate::booking::local::{first_instant, last_instant};
use crate::settings::fields::{Field, Fields};
use crate::settings::invalid::InvalidSetting;

/// Minutes of a day on the clock.
const DAY: u16 = 24 * 60;
/// Maximum number of intervals of one day.
const MAX_INTERVALS: usize = 12;
/// Maximum number of dates with hours of their own.
const MAX_EXCEPTIONS: usize = 400;

/// An interval on the clock, in minutes since midnight. An end past 1440 is on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "OpeningForm", into = "OpeningForm")]
pub struct Opening {
    from: u16,
    to: u16,
}

/// An interval as written: an end that is not after the start is on the next day.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct OpeningForm {
    from: String,
    to: String,
}

impl Opening {
    /// The whole day.
    const ALL: Self = Self { from: 0, to: DAY };

    fn parse(from: &str, to: &str) -> Option<Self> {
        let (from, to) = (clock(from)?, clock(to)?);
        if from == DAY || from == to {
            return None;
        }
        Some(Self { from, to: if to < from { to + DAY } else { to } })
    }

    /// The time between both readings of the clock on a date; `None` if the clock leaves it out.
    /// Times that the clock shows twice are included both times.
    fn on(self, zone: Tz, date: NaiveDate) -> Option<Interval> {
        let at = |minutes: u16| {
            date.and_time(NaiveTime::MIN).checked_add_signed(TimeDelta::minutes(i64::from(minutes)))
        };
        Interval::new(first_instant(zone, at(self.from)?), last_instant(zone, at(self.to)?))
    }
}

/// Reads `HH:MM` from 00:00 to 24:00.
fn clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |part: &str| {
        let fits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| part.parse::<u16>().ok())?
    };
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    let all = hours * 60 + minutes;
    (minutes < 60 && all <= DAY).then_some(all)
}

impl TryFrom<OpeningForm> for Opening {
    type Error = &'static str;

    fn try_from(form: OpeningForm) -> Result<Self, Self::Error> {
        Self::parse(&form.from, &form.to).ok_or("not an interval of the clock")
    }
}

impl From<Opening> for OpeningForm {
    fn from(opening: Opening) -> Self {
        let text = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let to = if opening.to > DAY { opening.to - DAY } else { opening.to };
        Self { from: text(opening.from), to: text(to) }
    }
}

/// The intervals of each weekday; a day with an empty list is closed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names of the days say it")]
pub struct Week {
    pub monday: Vec<Opening>,
    pub tuesday: Vec<Opening>,
    pub wednesday: Vec<Opening>,
    pub thursday: Vec<Opening>,
    pub friday: Vec<Opening>,
    pub saturday: Vec<Opening>,
    pub sunday: Vec<Opening>,
}

impl Week {
    fn of(&self, weekday: Weekday) -> &[Opening] {
        match weekday {
            Weekday::Mon => &self.monday,
            Weekday::Tue => &self.tuesday,
            Weekday::Wed => &self.wednesday,
            Weekday::Thu => &self.thursday,
            Weekday::Fri => &self.friday,
            Weekday::Sat => &self.saturday,
            Weekday::Sun => &self.sunday,
        }
    }
}

/// A date with hours of its own; an empty list is closed. The interval of the day before that lasts
/// past midnight stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayException {
    /// The local date.
    pub date: NaiveDate,
    /// Its intervals.
    pub intervals: Vec<Opening>,
}

/// Opening hours. The default is always open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Hours {
    /// The intervals of the weekdays; absent for always open.
    pub weekdays: Option<Week>,
    /// Dates with other hours, each once, in order.
    pub exceptions: Vec<DayException>,
}

impl Hours {
    /// Parses the fields of the setting.
    ///
    /// # Errors
    /// [`InvalidSetting`] for an interval that is none or overlaps another one of its day, a date that
    /// is named twice, and an unknown field.
    pub fn parse(fields: BTreeMap<String, Value>) -> Result<Self, InvalidSetting> {
        Self::read(Fields::root(fields))
    }

    pub(super) fn read(mut fields: Fields) -> Result<Self, InvalidSetting> {
        let weekdays = fields.take("weekdays").map(read_week).transpose()?;
        let exceptions = fields.take("exceptions").map(read_exceptions).transpose()?;
        fields.finish()?;
        Ok(Self { weekdays, exceptions: exceptions.unwrap_or_default() })
    }

    fn openings(&self, date: NaiveDate) -> &[Opening] {
        let exception = self.exceptions.binary_search_by_key(&date, |exception| exception.date);
        match (exception, &self.weekdays) {
            (Ok(nth), _) => &self.exceptions[nth].intervals,
            (Err(_), Some(week)) => week.of(date.weekday()),
            (Err(_), None) => &[Opening::ALL],
        }
    }

    /// The open times that begin on a local date.
    pub fn on(&self, zone: Tz, date: NaiveDate) -> impl Iterator<Item = Interval> {
        self.openings(date).iter().filter_map(move |opening| opening.on(zone, date))
    }

    /// The open times around a range, joined. An interval past midnight belongs to the date on which
    /// it begins.
    #[must_use]
    pub fn around(&self, zone: Tz, range: Interval) -> Spans {
        Spans::union(dates(zone, range).flat_map(|date| self.on(zone, date)))
    }
}

/// The local dates whose openings can touch a range.
pub(crate) fn dates(zone: Tz, range: Interval) -> impl Iterator<Item = NaiveDate> {
    let date = |at: DateTime<Utc>| crate::booking::local::date(zone, at);
    let first = date(range.start()).checked_sub_days(Days::new(2)).unwrap_or(NaiveDate::MIN);
    let last = date(range.end());
    first.iter_days().take_while(move |date| *date <= last)
}

fn read_week(field: Field) -> Result<Week, InvalidSetting> {
    let mut days = field.object()?;
    let mut day = |name: &str| {
        let openings = days.take(name).map(read_openings).transpose()?;
        Ok::<_, InvalidSetting>(openings.unwrap_or_default())
    };
    let week = Week {
        monday: day("monday")?,
        tuesday: day("tuesday")?,
        wednesday: day("wednesday")?,
        thursday: day("thursday")?,
        friday: day("friday")?,
        saturday: day("saturday")?,
        sunday: day("sunday")?,
    };
    days.finish()?;
    Ok(week)
}

fn read_exceptions(field: Field) -> Result<Vec<DayException>, InvalidSetting> {
    let mut exceptions = BTreeMap::new();
    for entry in field.list(MAX_EXCEPTIONS)? {
        let mut entry = entry.object()?;
        let date = entry.require("date")?;
        let parsed = date.parse("a date as 2026-12-24", read_date)?;
        let intervals = entry.take("intervals").map(read_openings).transpose()?;
        entry.finish()?;
        if exceptions.insert(parsed, intervals.unwrap_or_default()).is_some() {
            return Err(date.invalid("the date is named twice"));
        }
    }
    let exception = |(date, intervals)| DayException { date, intervals };
    Ok(exceptions.into_iter().map(exception).collect())
}

fn read_date(text: &str) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    // The parser also takes other lengths.
    ((2000..=2999).contains(&date.year()) && text.len() == 10).then_some(date)
}

fn read_openings(field: Field) -> Result<Vec<Opening>, InvalidSetting> {
    let mut openings: Vec<Opening> = Vec::new();
    for entry in field.list(MAX_INTERVALS)? {
        let mut entry = entry.object()?;
        let (from, to) = (entry.require("from")?, entry.require("to")?);
        entry.finish()?;
        let clock_text = "a time of the clock from 00:00 to 24:00";
        let text = |text: &str| clock(text).map(|_| text.to_owned());
        let (start, end) = (from.parse(clock_text, text)?, to.parse(clock_text, text)?);
        let opening = Opening::parse(&start, &end)
            .ok_or_else(|| to.invalid("the interval is empty; a whole day is 00:00 to 24:00"))?;
        let overlaps = |other: &Opening| opening.from < other.to && other.from < opening.to;
        if openings.iter().any(overlaps) {
            return Err(from.invalid("the interval overlaps another one of its day"));
        }
        openings.push(opening);
    }
    openings.sort_unstable();
    Ok(openings)
}
