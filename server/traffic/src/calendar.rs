//! Distribution of call times: hour and weekday curves in the clinic's local time.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc, Weekday};
use chrono_tz::Tz;

use crate::rng::SeededRng;
use crate::scenario::Channel;

/// Relative number of inbound calls by local hour of a weekday, with peaks mid-morning and after
/// lunch.
const INBOUND: [u32; 24] =
    [1, 1, 0, 0, 0, 1, 3, 14, 48, 88, 100, 82, 40, 58, 86, 74, 52, 30, 14, 8, 5, 4, 2, 1];

/// Relative number of outbound calls; reminders are limited to acceptable hours.
const OUTBOUND: [u32; 24] =
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 90, 100, 30, 20, 60, 70, 90, 80, 30, 0, 0, 0, 0, 0];

/// Relative number of web calls, with a peak in the evening.
const WEB: [u32; 24] =
    [4, 2, 1, 0, 0, 1, 3, 8, 20, 30, 40, 42, 50, 44, 36, 34, 36, 40, 52, 66, 72, 60, 34, 14];

const HOUR_MS: i64 = 3_600_000;

/// Distribution of start times of one clinic and call route.
pub(crate) struct Calendar {
    from: DateTime<Utc>,
    /// Cumulative weights up to and including each hour after `from`.
    rising: Vec<i64>,
}

impl Calendar {
    /// Weighs every hour of `[from, from + hours)` by the clinic's local time, which includes
    /// daylight saving.
    pub(crate) fn new(from: DateTime<Utc>, hours: u32, timezone: Tz, route: Channel) -> Self {
        let mut sum = 0;
        let rising = (0..hours)
            .map(|hour| {
                let local = (from + TimeDelta::hours(hour.into())).with_timezone(&timezone);
                sum += weight(route, local.weekday(), local.hour());
                sum
            })
            .collect();
        Self { from, rising }
    }

    /// Draws a start time from the distribution, with millisecond precision.
    pub(crate) fn draw_start(&self, rng: &mut SeededRng) -> DateTime<Utc> {
        let total = self.rising.last().copied().unwrap_or(1);
        let drawn = rng.between(0..=total - 1);
        let hour = self.rising.partition_point(|sum| *sum <= drawn);
        let hour = i64::try_from(hour).expect("a plan has fewer hours than an i64 counts");
        self.from + TimeDelta::milliseconds(hour * HOUR_MS + rng.between(0..=HOUR_MS - 1))
    }
}

/// Returns the weight of an hour; at least 1, so that any window has an hour to draw.
fn weight(route: Channel, day: Weekday, hour: u32) -> i64 {
    let (curve, saturday, sunday) = match route {
        Channel::Inbound => (&INBOUND, 26, 8),
        Channel::Outbound => (&OUTBOUND, 12, 0),
        Channel::Web => (&WEB, 70, 55),
    };
    let share = match day {
        Weekday::Sat => saturday,
        Weekday::Sun => sunday,
        _ => 100,
    };
    1 + i64::from(curve[hour as usize] * share)
}
