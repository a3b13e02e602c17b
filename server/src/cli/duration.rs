//! Durations in options: a whole number and a unit, such as `30d` or `12h`.

use chrono::TimeDelta;

/// Maximum duration: ten years.
const LONGEST_S: i64 = 10 * 365 * 24 * 3600;

/// Parses a duration; for `value_parser`.
///
/// # Errors
/// A message with the expected format or range.
pub(super) fn parse(text: &str) -> Result<TimeDelta, String> {
    let expected = || "use a whole number and a unit: 90s, 30m, 12h, 30d or 4w".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "w" => 7 * 24 * 3600,
        _ => return Err(expected()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(expected());
    }
    let number: i64 = digits.parse().map_err(|_| expected())?;
    match number.checked_mul(seconds) {
        Some(total) if (1..=LONGEST_S).contains(&total) => Ok(TimeDelta::seconds(total)),
        _ => Err("use one second to ten years".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_a_number_and_a_unit_and_nothing_else() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("12h", 43_200), ("30d", 2_592_000)] {
            assert_eq!(parse(text), Ok(TimeDelta::seconds(seconds)), "{text}");
        }
        assert_eq!(parse("1w"), parse("7d"));
        for text in ["", "30", "d", "-1d", "+1d", "1.5h", "1y", "0s", "11111d", "1d ", "é9d"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("99999999999999999999s").is_err());
        assert!(parse("9223372036854775807w").is_err());
    }
}
