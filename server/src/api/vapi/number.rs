//! JSON numbers written as exact decimal text. Money and minutes are never converted to a float here.

use ledger_core::money::Nanos;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Decimal places of a written number: more than money has. A quotient is rounded to them.
const DIVIDED: u32 = 10;

/// An exact decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DecimalNumber(Decimal);

impl DecimalNumber {
    /// Converts nano-dollars to dollars.
    pub(super) fn dollars(nanos: i128) -> Self {
        Self::scaled(nanos, 9)
    }

    /// A whole number, such as a count.
    pub(super) fn whole(count: i128) -> Self {
        Self::scaled(count, 0)
    }

    /// Converts milliseconds to seconds.
    pub(super) fn seconds(ms: i64) -> Self {
        Self::scaled(ms.into(), 3)
    }

    /// Converts milliseconds to minutes.
    pub(super) fn minutes(ms: i128) -> Self {
        Self(Self::scaled(ms, 0).0 / Decimal::from(60_000))
    }

    /// Divides by a count; `None` for zero.
    pub(super) fn shared_by(self, count: i64) -> Option<Self> {
        self.0.checked_div(Decimal::from(count)).map(Self)
    }

    fn scaled(value: i128, scale: u32) -> Self {
        // A billion calls with the largest i64 each have a sum of 28 digits, which fits.
        let exact = Decimal::try_from_i128_with_scale(value, scale);
        Self(exact.expect("sums of calls fit 96 bits"))
    }
}

impl From<Nanos> for DecimalNumber {
    fn from(Nanos(nanos): Nanos) -> Self {
        Self::dollars(nanos.into())
    }
}

impl Serialize for DecimalNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = RawValue::from_string(self.0.round_dp(DIVIDED).normalize().to_string());
        text.map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: DecimalNumber) -> String {
        serde_json::to_string(&number).expect("a number")
    }

    #[test]
    fn money_is_written_exactly() {
        for (nanos, dollars) in [
            (0, "0"),
            (39_400_000, "0.0394"),
            (1, "0.000000001"),
            (-2_500_000_000, "-2.5"),
            (69_000_000, "0.069"),
            (i64::MAX, "9223372036.854775807"),
            (12_000_000_000, "12"),
        ] {
            assert_eq!(text(Nanos(nanos).into()), dollars);
        }
    }

    #[test]
    fn a_sum_no_float_could_hold_is_exact() {
        let sum = i128::from(i64::MAX) * 1_000_000_000 + 1;
        assert_eq!(text(DecimalNumber::dollars(sum)), "9223372036854775807.000000001");
    }

    #[test]
    fn minutes_and_shares_are_rounded_where_they_do_not_end() {
        assert_eq!(text(DecimalNumber::minutes(90_000)), "1.5");
        assert_eq!(text(DecimalNumber::minutes(61_250)), "1.0208333333");
        assert_eq!(
            DecimalNumber::minutes(61_250).shared_by(7).map(text),
            Some("0.1458333333".into())
        );
        assert_eq!(text(DecimalNumber::seconds(1_280)), "1.28");
        assert_eq!(
            DecimalNumber::dollars(100_000_000).shared_by(3).map(text),
            Some("0.0333333333".into())
        );
        assert_eq!(DecimalNumber::dollars(1).shared_by(0).map(text), None);
    }
}
