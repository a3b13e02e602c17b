//! When clinics' phones ring: hour and weekday curves in the clinic's local time.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc, Weekday};
use chrono_tz::Tz;

use super::dice::Dice;
use super::story::Route;

/// Calls in each local hour of a weekday, relative to one another: busy mid-morning and after lunch.
const INBOUND: [u32; 24] =
    [1, 1, 0, 0, 0, 1, 3, 14, 48, 88, 100, 82, 40, 58, 86, 74, 52, 30, 14, 8, 5, 4, 2, 1];

/// Reminders go out while people may be rung.
const OUTBOUND: [u32; 24] =
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 90, 100, 30, 20, 60, 70, 90, 80, 30, 0, 0, 0, 0, 0];

/// The website is used after work, too.
const WEB: [u32; 24] =
    [4, 2, 1, 0, 0, 1, 3, 8, 20, 30, 40, 42, 50, 44, 36, 34, 36, 40, 52, 66, 72, 60, 34, 14];

const HOUR_MS: i64 = 3_600_000;

/// One clinic's calendar for one kind of call.
pub(super) struct Calendar {
    from: DateTime<Utc>,
    /// Weights summed up to and including each hour after `from`.
    rising: Vec<i64>,
}

impl Calendar {
    /// Weighs every hour of `[from, from + hours)` as the clinic's wall clock shows it; daylight saving
    /// therefore needs no rule of its own.
    pub(super) fn new(from: DateTime<Utc>, hours: u32, timezone: Tz, route: Route) -> Self {
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

    /// A moment at which such a call is likely, to the millisecond.
    pub(super) fn moment(&self, dice: &mut Dice) -> DateTime<Utc> {
        let total = self.rising.last().copied().unwrap_or(1);
        let drawn = dice.between(0..=total - 1);
        let hour = self.rising.partition_point(|sum| *sum <= drawn);
        let hour = i64::try_from(hour).expect("a plan has fewer hours than an i64 counts");
        self.from + TimeDelta::milliseconds(hour * HOUR_MS + dice.between(0..=HOUR_MS - 1))
    }
}

/// Never zero, so that any window has an hour to choose.
fn weight(route: Route, day: Weekday, hour: u32) -> i64 {
    let (curve, saturday, sunday) = match route {
        Route::Inbound => (&INBOUND, 26, 8),
        Route::Outbound => (&OUTBOUND, 12, 0),
        Route::Web => (&WEB, 70, 55),
    };
    let share = match day {
        Weekday::Sat => saturday,
        Weekday::Sun => sunday,
        _ => 100,
    };
    1 + i64::from(curve[hour as usize] * share)
}
