//! Conversion of decimal text to a number. Text with more digits than a `Decimal` holds is
//! shortened.

use rust_decimal::Decimal;

/// Maximum number of digits after the decimal point.
const SCALE: i64 = 28;
/// Maximum number of significant digits. 96 bits hold every number of 28 digits.
const DIGITS: i64 = 28;

/// Parses the text of a JSON number: `0.1088`, `1.5E-3`, `12`.
///
/// Digits beyond the 28th decimal, or beyond the 28th significant digit, are cut off in such a way
/// that a later rounding to the nano gives the same result as with all digits. A smaller number
/// becomes zero. Returns `None` if the text is no number or has more than 28 digits before the
/// point.
#[must_use]
pub fn parse_decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let (is_negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let digits = [whole, fraction].concat();
    let digits = digits.trim_start_matches('0');
    let scale = i64::try_from(fraction.len()).ok()? - exponent;
    let value = rounded(digits.as_bytes(), scale)?;
    Some(if is_negative { -value } else { value })
}

/// Parses an exponent, clamped to ±`i32::MAX`.
fn read_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().unwrap_or(i64::from(i32::MAX)).min(i64::from(i32::MAX));
    Some(if text.starts_with('-') { -size } else { size })
}

/// Returns `digits` × 10^-`scale`, shortened to the digits that a `Decimal` holds.
fn rounded(digits: &[u8], scale: i64) -> Option<Decimal> {
    let count = i64::try_from(digits.len()).ok()?;
    if count == 0 {
        return Some(Decimal::ZERO);
    }
    if count - scale > DIGITS {
        return None;
    }
    // Digits to drop: those behind the last decimal, or behind the last significant digit.
    let dropped = (scale - SCALE).max(count - DIGITS).max(0);
    if dropped > count {
        return Some(Decimal::ZERO);
    }
    let (kept, rest) = digits.split_at(usize::try_from(count - dropped).ok()?);
    let number = kept.iter().fold(0_i128, |number, digit| number * 10 + i128::from(digit - b'0'));
    let number = number + i128::from(is_sticky(number, rest));
    let scale = scale - dropped;
    if scale < 0 {
        let zeros = u32::try_from(-scale).ok()?;
        return Decimal::try_from_i128_with_scale(number.checked_mul(10_i128.pow(zeros))?, 0).ok();
    }
    Decimal::try_from_i128_with_scale(number, u32::try_from(scale).ok()?).ok()
}

/// Returns true if the last kept digit must be increased by one. The number is later rounded again,
/// to the nano, and the shortened number must not look like an exact half there. A last digit of 0
/// or 5 is therefore increased if any dropped digit was not zero.
fn is_sticky(number: i128, rest: &[u8]) -> bool {
    number % 5 == 0 && rest.iter().any(|digit| *digit != b'0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::Nanos;

    fn nanos(text: &str) -> Option<i64> {
        parse_decimal(text).and_then(Nanos::from_decimal).map(|nanos| nanos.0)
    }

    #[test]
    fn more_digits_than_a_decimal_holds_are_rounded_to_the_nano() {
        for (text, expected) in [
            ("0.0501428571428571428571428571429", 50_142_857),
            ("5.55e-17", 0),
            ("1e-400", 0),
            ("1e-99999999999", 0),
            ("0.00000000000000000000000000000000001", 0),
            ("123456789.0000000000000000000000000000000049", 123_456_789_000_000_000),
            ("0.99999999999999999999999999999999999", 1_000_000_000),
            ("0.1000000000000000055511151231257827", 100_000_000),
            ("1234.5678e-2", 12_345_678_000),
            ("1e0", 1_000_000_000),
            ("-1.5E-3", -1_500_000),
            ("00012.50", 12_500_000_000),
        ] {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_or_too_large_is_none() {
        for text in [
            "",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            "1.2.3",
            "0x10",
            "NaN",
            "inf",
            "1_000",
            "1,5",
            "1e400",
            "1e99999999999",
            "99999999999999999999999999999999",
            "٣",
        ] {
            assert_eq!(parse_decimal(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_a_decimal_holds_is_read_exactly(mantissa in any::<i64>(), scale in 0_u32..=28) {
            let exact = Decimal::new(mantissa, scale);
            prop_assert_eq!(parse_decimal(&exact.to_string()), Some(exact));
            let scientific = format!("{mantissa}e-{scale}");
            prop_assert_eq!(parse_decimal(&scientific), Some(exact));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9.eE ]{0,60}") {
            let _ = parse_decimal(&text);
        }
    }
}
