//! Numbers of JSON texts that are not kept as they are written. A number is kept if it is a whole
//! number of 64 bits, or the shortest text of a floating-point number, in any form of it.

use serde_json::Number;

/// Whether a JSON text has a number with another value after it is read: one beyond 64 bits, or with
/// more digits than a floating-point number has.
#[must_use]
pub fn has_changed_number(json: &str) -> bool {
    let mut rest = json;
    while let Some(start) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        rest = &rest[start..];
        if rest.starts_with('"') {
            rest = after_text(rest);
            continue;
        }
        let is_beyond = |c: char| !c.is_ascii_digit() && !"+-.eE".contains(c);
        let (number, after) = rest.split_at(rest.find(is_beyond).unwrap_or(rest.len()));
        if !is_kept(number) {
            return true;
        }
        rest = after;
    }
    false
}

/// Returns what follows the JSON string at the beginning of a text.
fn after_text(json: &str) -> &str {
    let mut chars = json.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '"' => return &json[at + 1..],
            _ => {}
        }
    }
    ""
}

fn is_kept(number: &str) -> bool {
    let read = serde_json::from_str::<Number>(number).ok();
    let kept = read.and_then(|read| Decimal::of(&read.to_string()));
    kept.is_some() && kept == Decimal::of(number)
}

/// The value of a number: its digits without zeros at both ends, as a multiple of a power of ten.
#[derive(PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads a JSON number; `None` if its exponent is beyond 64 bits.
    fn of(number: &str) -> Option<Self> {
        let unsigned = number.strip_prefix('-');
        let (mantissa, exponent) = {
            let text = unsigned.unwrap_or(number);
            text.split_once(['e', 'E']).unwrap_or((text, "0"))
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let from_first = all.trim_start_matches('0');
        let digits = from_first.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits: String::new(), exponent: 0 });
        }
        let zeros = i64::try_from(from_first.len() - digits.len()).ok()?;
        let exponent: i64 = exponent.parse().ok()?;
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        Some(Self {
            is_negative: unsigned.is_some(),
            digits: digits.to_owned(),
            exponent: exponent.checked_add(zeros)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(20_000))]

        #[test]
        fn a_document_is_returned_with_the_numbers_that_were_sent(
            bits in proptest::num::u64::ANY, whole in proptest::num::i64::ANY
        ) {
            let float = f64::from_bits(bits);
            let float = if float.is_finite() { float } else { 0.1 };
            let sent = serde_json::to_string(&vec![serde_json::json!(float), whole.into()]);
            let sent = sent.expect("JSON");
            proptest::prop_assert!(!has_changed_number(&sent), "{}", sent);
            // A context is read twice: from the request, and from its sealed section.
            let read: serde_json::Value = serde_json::from_str(&sent).expect("JSON");
            let stored = serde_json::to_string(&read).expect("JSON");
            let opened: serde_json::Value = serde_json::from_str(&stored).expect("JSON");
            proptest::prop_assert_eq!(serde_json::to_string(&opened).expect("JSON"), sent);
        }
    }

    #[test]
    fn a_number_is_kept_if_its_value_is() {
        for json in [
            "0",
            "-0",
            "0e99999999999999999999",
            "1.50",
            "0.1",
            "-7",
            "1E+2",
            "1e300",
            "18446744073709551615",
            "-9223372036854775808",
            "100000000000000000000",
            r#""12345678901234567890123""#,
            r#"{"a\\":"\"12345678901234567890123","b":[1,2.5,true,null]}"#,
        ] {
            assert!(!has_changed_number(json), "{json}");
        }
        for json in [
            "12345678901234567890123",
            "-12345678901234567890123",
            "100000000000000000000001",
            "0.12345678901234567890123",
            "1e-400",
            r#"{"a\"":{"b":["x",9007199254740993.0]}}"#,
            r#"["1",18446744073709551617]"#,
        ] {
            assert!(has_changed_number(json), "{json}");
        }
    }
}
