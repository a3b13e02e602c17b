//! Money in whole nano-dollars. Sums are exact and independent of order, so a rebuilt total equals
//! the live total to the last digit. No amount passes through a float.

mod currency;
mod decimal;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

/// An amount in 1e-9 of the currency unit. An `i64` holds up to 9.2 billion dollars.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Nanos(pub i64);

impl Nanos {
    /// Rounds a decimal to whole nanos, half to even. Returns `None` if the amount is beyond ±9.2
    /// billion.
    #[must_use]
    pub fn from_decimal(amount: Decimal) -> Option<Self> {
        amount.checked_mul(Decimal::from(1_000_000_000))?.round().to_i64().map(Self)
    }

    /// Parses an amount written by a person: digits and a point only. Returns `None` for any other
    /// text, for more than nine decimals, and for an amount that does not fit.
    #[must_use]
    pub fn parse_exact(text: &str) -> Option<Self> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let amount = Decimal::from_str_exact(text).ok().filter(|_| is_plain)?;
        Self::from_decimal(amount).filter(|nanos| Decimal::new(nanos.0, 9) == amount)
    }

    /// Returns the amount in cents, rounded up (towards positive infinity), without a float.
    #[must_use]
    pub fn cents_ceil(self) -> i64 {
        let (whole, rest) = (self.0.div_euclid(10_000_000), self.0.rem_euclid(10_000_000));
        whole + i64::from(rest > 0)
    }
}

pub use currency::is_currency;
pub use decimal::parse_decimal;

/// Cost of a call: the total stated by the provider and the listed parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cost {
    /// The stated total, exact to the nano.
    pub total_nanos: Nanos,
    /// ISO 4217 code in upper case.
    pub currency: String,
    /// The parts. Their sum, with `other_nanos`, is the total.
    #[serde(flatten)]
    pub parts: CostParts,
}

/// Parts of a cost in nano-dollars. A part that the provider does not list is 0. `other_nanos`
/// takes what fits no named part, and the rounding difference between parts and total; it may be
/// negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CostParts {
    /// Telephony, in nano-dollars.
    pub transport_nanos: Nanos,
    /// Speech to text, in nano-dollars.
    pub stt_nanos: Nanos,
    /// Language model, in nano-dollars.
    pub llm_nanos: Nanos,
    /// Text to speech, in nano-dollars.
    pub tts_nanos: Nanos,
    /// Fee of the voice platform, in nano-dollars.
    pub platform_nanos: Nanos,
    /// The remainder, so that the parts add up to the total.
    pub other_nanos: Nanos,
}

impl CostParts {
    /// Returns the parts that providers name: all except `other_nanos`.
    #[must_use]
    pub const fn named(&self) -> [Nanos; 5] {
        let Self { transport_nanos, stt_nanos, llm_nanos, tts_nanos, platform_nanos, .. } = *self;
        [transport_nanos, stt_nanos, llm_nanos, tts_nanos, platform_nanos]
    }

    /// Sets `other_nanos` so that all parts add up to `total`. If the difference does not fit an
    /// `i64`, the parts are discarded and `other_nanos` is the whole total.
    #[must_use]
    pub fn balanced_to(self, total: Nanos) -> Self {
        let named: i128 = self.named().iter().map(|part| i128::from(part.0)).sum();
        let rest = i128::from(total.0) - named;
        match i64::try_from(rest) {
            Ok(rest) => Self { other_nanos: Nanos(rest), ..self },
            Err(_) => Self { other_nanos: total, ..Self::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> Option<i64> {
        parse_decimal(text).and_then(Nanos::from_decimal).map(|nanos| nanos.0)
    }

    #[test]
    fn a_decimal_text_becomes_exact_nanos() {
        assert_eq!(nanos("0.1088"), Some(108_800_000));
        assert_eq!(nanos("1.5E-3"), Some(1_500_000));
        assert_eq!(nanos("0.00028270833"), Some(282_708));
        assert_eq!(nanos("-2.5"), Some(-2_500_000_000));
        assert_eq!(nanos("99999999999"), None);
        assert_eq!(nanos("no number"), None);
    }

    #[test]
    fn an_amount_that_a_person_wrote_is_read_exactly_or_not_at_all() {
        for (text, nanos) in [
            ("0", 0),
            ("250", 250_000_000_000),
            ("99.50", 99_500_000_000),
            ("0.000000001", 1),
            ("1.0000000000", 1_000_000_000),
            ("9223372036.854775807", i64::MAX),
        ] {
            assert_eq!(Nanos::parse_exact(text), Some(Nanos(nanos)), "{text}");
        }
        for text in
            ["", ".", "-1", "+1", "1e3", "1_000", "1,5", " 1", "$1", "1.2.3", "NaN", "0.0000000001"]
        {
            assert_eq!(Nanos::parse_exact(text), None, "{text}");
        }
        assert_eq!(Nanos::parse_exact("9223372036.854775808"), None, "it does not fit");
        assert_eq!(Nanos::parse_exact(&"9".repeat(60)), None);
    }

    #[test]
    fn cents_round_up_where_a_float_would_bill_one_more() {
        for (text, cents) in [("0.07", 7), ("0.14", 14), ("0.28", 28), ("1.1", 110), ("0.1088", 11)]
        {
            let amount = Nanos(nanos(text).expect("a decimal"));
            assert_eq!(amount.cents_ceil(), cents, "{text}");
        }
        assert_eq!(Nanos(-1).cents_ceil(), 0);
    }

    #[test]
    fn parts_are_balanced_to_the_stated_total() {
        let parts = CostParts { stt_nanos: Nanos(5), llm_nanos: Nanos(7), ..CostParts::default() };
        assert_eq!(parts.balanced_to(Nanos(10)).other_nanos, Nanos(-2));
        let absurd = CostParts { stt_nanos: Nanos(i64::MAX), ..CostParts::default() };
        let all_other = CostParts { other_nanos: Nanos(-10), ..CostParts::default() };
        assert_eq!(absurd.balanced_to(Nanos(-10)), all_other);
    }
}
