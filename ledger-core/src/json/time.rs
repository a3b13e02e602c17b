//! Parser for times as text: ISO 8601 and RFC 3339 in the variants that platforms and proxies
//! produce.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

/// Parses a date and a time of day. Returns `None` for any other text, and for a date alone.
///
/// `T` may be a blank, the offset may lack its colon or minutes, the seconds may be missing, and
/// the basic form has no separators. A time without a zone is UTC, the only zone the platforms use.
/// A leap second becomes the second after it.
pub(super) fn read(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim().replace('\u{2212}', "-");
    // Java appends the name of the zone: `…Z[UTC]`.
    let text = text.split('[').next().unwrap_or_default().trim_end();
    if let Ok(time) = DateTime::parse_from_rfc2822(text) {
        return Some(time.to_utc());
    }
    let (date, rest) = split_date(text)?;
    let (time, offset) = split_offset(rest)?;
    let (time, leap) = time_of_day(time)?;
    let local = NaiveDateTime::new(date, time).checked_add_signed(leap)?;
    Some(local.checked_sub_signed(offset)?.and_utc())
}

/// Parses `2026-03-10`, `2026/03/10` or `20260310`. Returns the date and the text after its
/// separator.
fn split_date(text: &str) -> Option<(NaiveDate, &str)> {
    let is_extended = matches!(text.as_bytes().get(4), Some(b'-' | b'/'));
    let (date, rest) = text.split_at_checked(if is_extended { 10 } else { 8 })?;
    let parts = if is_extended {
        let separator = date.as_bytes()[4];
        if date.as_bytes()[7] != separator {
            return None;
        }
        [date.get(..4)?, date.get(5..7)?, date.get(8..)?]
    } else {
        [date.get(..4)?, date.get(4..6)?, date.get(6..)?]
    };
    let [year, month, day] = parts.map(number);
    let date = NaiveDate::from_ymd_opt(i32::try_from(year?).ok()?, month?, day?)?;
    let rest = rest.strip_prefix(['T', 't', ' ']).or((!is_extended).then_some(rest))?;
    Some((date, rest.trim_start()))
}

/// Splits a time from its offset. Returns the text of the time, and how far it is ahead of UTC.
fn split_offset(text: &str) -> Option<(&str, TimeDelta)> {
    let upper = text.to_ascii_uppercase();
    for utc in ["Z", "UTC", "GMT"] {
        if upper.ends_with(utc) {
            return Some((text[..text.len() - utc.len()].trim_end(), TimeDelta::zero()));
        }
    }
    let Some(at) = text.find(['+', '-']) else { return Some((text, TimeDelta::zero())) };
    let (time, offset) = text.split_at(at);
    let digits: String = offset[1..].split(':').collect();
    let is_well =
        matches!(offset.len() - 1, 2 | 4 | 5) && (offset.len() != 6 || offset.find(':') == Some(3));
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits)?, 0),
        4 => (number(digits.get(..2)?)?, number(digits.get(2..)?)?),
        _ => return None,
    };
    if !is_well || hours > 23 || minutes > 59 {
        return None;
    }
    let ahead = TimeDelta::minutes(i64::from(hours * 60 + minutes));
    Some((time.trim_end(), if offset.starts_with('-') { -ahead } else { ahead }))
}

/// Parses `15:00:02.5`, `15:00:02,5`, `15:00`, `150002.5` or `1500`. Returns the time of day, and
/// the second that a leap second adds.
fn time_of_day(text: &str) -> Option<(NaiveTime, TimeDelta)> {
    let (clock, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if clock.len() < text.len() && !is_fraction {
        return None;
    }
    let parts: Vec<&str> = if clock.contains(':') {
        clock.split(':').collect()
    } else if matches!(clock.len(), 4 | 6) && clock.is_ascii() {
        (0..clock.len()).step_by(2).map(|at| &clock[at..at + 2]).collect()
    } else {
        return None;
    };
    if parts.iter().any(|part| part.len() != 2) || (parts.len() == 2 && is_fraction) {
        return None;
    }
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (number(hour)?, number(minute)?, 0),
        [hour, minute, second] => (number(hour)?, number(minute)?, number(second)?),
        _ => return None,
    };
    let is_leap = second == 60;
    let micros: u32 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let time =
        NaiveTime::from_hms_micro_opt(hour, minute, if is_leap { 59 } else { second }, micros)?;
    Some((time, TimeDelta::seconds(i64::from(is_leap))))
}

fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_is_read_in_every_spelling() {
        for text in [
            "2026-03-10T15:00:02Z",
            "2026-03-10T15:00:02.000Z",
            "2026-03-10t15:00:02z",
            "2026-03-10T15:00:02.000+0000",
            "2026-03-10T15:00:02+00:00",
            "2026-03-10T15:00:02+00",
            "2026-03-10T15:00:02-00:00",
            "2026-03-10T10:00:02-0500",
            "2026-03-10T10:00:02-05:00",
            "2026-03-10T10:00:02-05",
            "2026-03-10T10:00:02\u{2212}05:00",
            "2026-03-10T20:30:02+0530",
            "2026-03-10 15:00:02",
            "2026-03-10 15:00:02Z",
            "2026-03-10 15:00:02 UTC",
            "2026-03-10 15:00:02 +0000",
            "2026-03-10  15:00:02.000000 +00:00",
            "2026-03-10T15:00:02",
            "2026-03-10T15:00:02,000Z",
            "2026-03-10T15:00:02.000000000Z",
            "2026-03-10T15:00:02Z[UTC]",
            "2026/03/10 15:00:02",
            "20260310T150002Z",
            "20260310T150002.000Z",
            "20260310T100002-0500",
            "20260310150002",
            "Tue, 10 Mar 2026 15:00:02 GMT",
            "Tue, 10 Mar 2026 15:00:02 +0000",
            " 2026-03-10T15:00:02Z ",
            "2026-03-10T15:00:01.000000Z",
        ] {
            let expected = if text.contains(":01.0") { "15:00:01" } else { "15:00:02" };
            let expected = format!("2026-03-10T{expected}Z");
            assert_eq!(
                read(text).map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
                Some(expected),
                "{text}"
            );
        }
        for text in
            ["2026-03-10T15:00Z", "2026-03-10 15:00", "20260310T1500Z", "2026-03-10T15:00+0000"]
        {
            assert_eq!(read(text).map(|at| at.timestamp()), Some(1_773_154_800), "{text}");
        }
        assert_eq!(
            read("2026-03-10T15:00:02.1234567Z").map(|at| at.timestamp_micros()),
            Some(1_773_154_802_123_456)
        );
        assert_eq!(read("2026-03-10T23:59:60Z").map(|at| at.timestamp()), Some(1_773_187_200));
    }

    #[test]
    fn what_is_no_point_in_time_is_not_made_one() {
        for text in [
            "",
            "yesterday",
            "2026-03-10",
            "2026-02-30T15:00:02Z",
            "2026-03-10T25:00:02Z",
            "2026-03-10T15:60:02Z",
            "2026-03-10T15:00:61Z",
            "2026-03-10T15:00:02+24:00",
            "2026-03-10T15:00:02+5",
            "2026-03-10T15:00:02+05:0",
            "2026-03-10T15:00:02+0:500",
            "2026-03/10T15:00:02Z",
            "2026-03-10T15",
            "2026-03-10T1:00:02Z",
            "2026-03-10T15:00:02.Z",
            "2026-03-10T15:00:02.5.5Z",
            "0000-00-00",
            "15:00:02Z",
            "2026-03-10T15:00:02ZZ",
            "2026-W11-2T15:00:02Z",
            "٢٠٢٦-03-10T15:00:02Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}", near in "[-0-9T:Z+ .,\\[é/]{0,30}") {
            let _ = (read(&text), read(&near));
        }

        #[test]
        fn every_instant_written_is_read_again(micros in 0_i64..4_102_444_800_000_000) {
            let at = DateTime::from_timestamp_micros(micros).expect("an instant");
            prop_assert_eq!(read(&at.to_rfc3339()), Some(at));
            prop_assert_eq!(read(&at.format("%Y%m%dT%H%M%S%.6fZ").to_string()), Some(at));
            prop_assert_eq!(read(&at.format("%Y-%m-%d %H:%M:%S%.6f +0000").to_string()), Some(at));
        }
    }
}
