//! Prints integers as exact decimals.
//!
//! Money is in integer nano-dollars (1e-9 USD) and time in milliseconds; the decimal point is
//! inserted when the digits are printed, never by a division.

use crate::json::Json;

/// A ten-thousandth of a dollar in nano-dollars, to which `cost` and `costBreakdown` are rounded.
pub(crate) const FOURTH_DECIMAL: i64 = 100_000;

/// Formats `value / 10^places` in plain digits, without trailing zeros. `value` must not be
/// negative.
pub(crate) fn decimal(value: i64, places: u32) -> Json {
    let scale = 10_i64.pow(places);
    let whole = value / scale;
    let rest = value % scale;
    if rest == 0 {
        return Json::Number(whole.to_string());
    }
    let digits = format!("{rest:0width$}", width = places as usize);
    Json::Number(format!("{whole}.{}", digits.trim_end_matches('0')))
}

/// Formats nano-dollars as dollars.
pub(crate) fn dollars(nanos: i64) -> Json {
    decimal(nanos, 9)
}

/// Formats milliseconds as seconds.
pub(crate) fn seconds(ms: i64) -> Json {
    decimal(ms, 3)
}

/// Formats milliseconds as minutes, rounded to four decimals.
pub(crate) fn minutes(ms: i64) -> Json {
    decimal((ms + 3) / 6, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(json: &Json) -> String {
        json.to_text()
    }

    #[test]
    fn money_is_printed_to_the_last_nano_dollar() {
        assert_eq!(digits(&dollars(39_400_000)), "0.0394");
        assert_eq!(digits(&dollars(72_750)), "0.00007275");
        assert_eq!(digits(&dollars(2_000_000_000)), "2");
        assert_eq!(digits(&dollars(1_000_000_001)), "1.000000001");
        assert_eq!(digits(&dollars(0)), "0");
    }

    #[test]
    fn minutes_are_rounded_to_four_decimals() {
        assert_eq!(digits(&minutes(25_276)), "0.4213");
        assert_eq!(digits(&seconds(25_276)), "25.276");
    }
}
