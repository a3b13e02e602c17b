//! Lenient parser for times in requests. RFC 3339 requires seconds, a colon in the offset and a `T`; date
//! libraries of Java, Python and databases omit them.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Utc};

/// Parses a time with an offset; `None` without one.
#[must_use]
pub fn zoned(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(at) = text.parse::<DateTime<Utc>>() {
        return Some(at);
    }
    let text = normalized(text);
    let forms =
        ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y%m%dT%H%M%S%.f%#z", "%Y%m%dT%H%M%#z"];
    let read = |form: &&str| DateTime::parse_from_str(&text, form).ok();
    forms.iter().find_map(read).map(|at| at.to_utc())
}

/// Parses a time or a date; without an offset it is read as UTC.
#[must_use]
pub fn utc(text: &str) -> Option<DateTime<Utc>> {
    if let Some(at) = zoned(text) {
        return Some(at);
    }
    let text = normalized(text.trim());
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y%m%dT%H%M%S%.f", "%Y%m%dT%H%M"];
    let read = |form: &&str| NaiveDateTime::parse_from_str(&text, form).ok();
    let time = forms.iter().find_map(read);
    let date = || text.parse::<NaiveDate>().ok().map(|date| date.and_time(NaiveTime::MIN));
    time.or_else(date).map(|at| at.and_utc())
}

/// Inserts a `T` between date and time and a sign before the offset where the text has blanks: an unencoded
/// plus arrives as a blank.
fn normalized(text: &str) -> String {
    let mut text = text.to_ascii_uppercase();
    if let Some(bare) = text.strip_suffix('Z') {
        text = format!("{}+00:00", bare.trim_end());
    }
    let blanks: Vec<usize> = text.match_indices(' ').map(|(at, _)| at).collect();
    for at in blanks {
        let sign = if text[..at].contains('T') { "+" } else { "T" };
        text.replace_range(at..=at, sign);
    }
    text.replace("++", "+").replace("+-", "-")
}

/// True for times in the years 0 to 9999. Others can be parsed, but not stored or compared.
#[must_use]
pub fn is_rfc3339(time: DateTime<Utc>) -> bool {
    (0..=9999).contains(&time.year())
}

/// Returns the full hour (UTC) that contains a time.
#[must_use]
pub fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = at.timestamp();
    DateTime::from_timestamp(seconds - seconds.rem_euclid(3600), 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn every_form_that_date_libraries_write_is_read() {
        for text in [
            "2026-11-01T00:00:00Z",
            "2026-11-01T00:00Z",
            "2026-11-01t00:00z",
            "2026-11-01T00:00:00.000Z",
            "2026-11-01T00:00:00.000000000Z",
            "2026-11-01T00:00:00+0000",
            "2026-11-01T00:00:00.000+0000",
            "2026-11-01T00:00:00+00",
            "2026-11-01T05:30+05:30",
            "2026-11-01T05:30:00+0530",
            "2026-10-31T19:00:00-05",
            "2026-10-31T19:00-0500",
            "2026-11-01 00:00:00Z",
            "2026-11-01 00:00:00 +0000",
            "2026-11-01 00:00:00-00:00",
            "2026-11-01T05:30:00 05:30",
            "2026-11-01T05:30 05:30",
            "20261101T000000Z",
            "20261101T0000Z",
            " 2026-11-01T00:00Z ",
        ] {
            assert_eq!(zoned(text), Some(at("2026-11-01T00:00:00Z")), "{text}");
            assert_eq!(utc(text), Some(at("2026-11-01T00:00:00Z")), "{text}");
        }
    }

    #[test]
    fn what_names_no_offset_is_in_utc_where_that_is_taken() {
        for text in ["2026-11-01", "2026-11-01T00:00", "2026-11-01 00:00:00.5", "20261101T000000"] {
            assert_eq!(zoned(text), None, "{text}");
            assert!(utc(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            " ",
            "Z",
            "+00:00",
            "yesterday",
            "2026",
            "2026-13-01T00:00Z",
            "2026-11-01T25:00Z",
            "1762074000",
            "2026-11-01T00Z",
            "2026-11-01T00:00+99:99",
            "T00:00Z",
            "ж2026-11-01T00:00Z",
        ] {
            assert_eq!((zoned(text), utc(text)), (None, None), "{text}");
        }
    }

    #[test]
    fn no_text_makes_it_panic() {
        let known = "2026-11-01T05:30:00.5 +05:30";
        for at in 0..known.len() {
            for other in ["", "ж", " ", "Z", "+", "T", "99"] {
                let text = format!("{}{other}{}", &known[..at], &known[at + 1..]);
                let _ = (zoned(&text), utc(&text), zoned(&known[at..]), utc(&known[..at]));
            }
        }
    }
}
