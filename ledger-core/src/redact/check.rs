//! Check digits and number ranges. Numbers are ASCII digits.

/// Whether the digits satisfy the Luhn formula (ISO/IEC 7812-1, annex B).
pub(super) fn is_luhn(digits: &[u8]) -> bool {
    luhn_sum(digits).is_multiple_of(10)
}

fn luhn_sum(digits: &[u8]) -> u32 {
    let doubled = |value: u32| if value > 4 { 2 * value - 9 } else { 2 * value };
    let values = digits.iter().rev().map(|digit| u32::from(digit - b'0'));
    values.enumerate().map(|(nth, value)| if nth % 2 == 1 { doubled(value) } else { value }).sum()
}

/// Whether the digits are a card number: a range and a length that a card network issues, and the
/// Luhn formula.
pub(super) fn is_card(digits: &[u8]) -> bool {
    (12..=19).contains(&digits.len()) && is_issued(digits) && is_luhn(digits)
}

/// The ranges of the networks, by their public lists of 2024.
fn is_issued(digits: &[u8]) -> bool {
    let prefix = |count: usize| {
        digits[..count].iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'))
    };
    let len = digits.len();
    match prefix(4) {
        // Visa.
        4000..=4999 => matches!(len, 13 | 16 | 18 | 19),
        // Mastercard, the second series too; Diners Club of North America.
        5100..=5599 | 2221..=2720 => len == 16,
        // American Express.
        3400..=3499 | 3700..=3799 => len == 15,
        // Diners Club.
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => matches!(len, 14..=19),
        // Discover, UnionPay, RuPay, JCB, Mir, Troy.
        6011
        | 6440..=6599
        | 6200..=6299
        | 8100..=8171
        | 6000..=6010
        | 6012..=6099
        | 3528..=3589
        | 2200..=2205
        | 9792 => {
            matches!(len, 16..=19)
        }
        // Maestro.
        5000 | 5018 | 5020 | 5038 | 5600..=5899 | 6300..=6399 | 6700..=6799 => {
            matches!(len, 12..=19)
        }
        _ => false,
    }
}

/// Whether nine digits are a social security number, by the rules of the SSA, or an individual
/// taxpayer number of the IRS.
pub(super) fn is_ssn(digits: &[u8]) -> bool {
    if digits.len() != 9 {
        return false;
    }
    let (area, group, serial) = (&digits[..3], &digits[3..5], &digits[5..]);
    if area[0] == b'9' {
        let group = (group[0] - b'0') * 10 + (group[1] - b'0');
        let is_group = matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
        return is_group && serial != b"0000";
    }
    area != b"000" && area != b"666" && group != b"00" && serial != b"0000"
}

/// Whether ten digits satisfy the check digit of an NHS number (modulus 11).
pub(super) fn is_nhs(digits: &[u8]) -> bool {
    if digits.len() != 10 {
        return false;
    }
    let weighted =
        (2..=10).rev().zip(digits).map(|(weight, digit)| weight * u32::from(digit - b'0'));
    let check = 11 - weighted.sum::<u32>() % 11;
    check % 11 == u32::from(digits[9] - b'0')
}

/// Whether ten digits satisfy the check digit of a National Provider Identifier: the Luhn formula
/// with the prefix 80840, which adds 24.
pub(super) fn is_npi(digits: &[u8]) -> bool {
    digits.len() == 10
        && matches!(digits[0], b'1' | b'2')
        && (luhn_sum(digits) + 24).is_multiple_of(10)
}

/// Whether ten digits may be a number of the North American plan. Area code 555 is accepted, since
/// numbers for examples have it.
pub(super) fn is_north_american(digits: &[u8]) -> bool {
    let [a, b, c, d, ..] = *digits else { return false };
    let is_code = (b'2'..=b'9').contains(&a) && !(b == b'1' && c == b'1');
    digits.len() == 10 && is_code && (d >= b'2' || [a, b, c] == *b"555")
}

/// Whether the characters have the format of a Medicare Beneficiary Identifier: eleven digits and
/// letters without S, L, O, I, B and Z. Upper case.
pub(super) fn is_mbi(chars: &[u8]) -> bool {
    let is_letter = |c: u8| c.is_ascii_uppercase() && !b"SLOIBZ".contains(&c);
    let is_digit = |c: u8| c.is_ascii_digit();
    chars.len() == 11
        && (b'1'..=b'9').contains(&chars[0])
        && [1, 4, 7, 8].into_iter().all(|at| is_letter(chars[at]))
        && [3, 6, 9, 10].into_iter().all(|at| is_digit(chars[at]))
        && [2, 5].into_iter().all(|at| is_letter(chars[at]) || is_digit(chars[at]))
}

/// Whether the characters are an IBAN of a country of the registry. Upper case.
pub(super) fn is_iban(chars: &[u8]) -> bool {
    std::str::from_utf8(chars).is_ok_and(|text| text.parse::<iban::Iban>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_networks_are_cards_and_others_are_none() {
        for number in [
            "4111111111111111",
            "4222222222222",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "30569309025904",
            "6011111111111117",
            "3530111333300000",
            "6200000000000005",
            "6759649826438453",
        ] {
            assert!(is_card(number.as_bytes()), "{number}");
            let mut wrong = number.as_bytes().to_vec();
            let last = wrong.len() - 1;
            wrong[last] = b'0' + (wrong[last] - b'0' + 1) % 10;
            assert!(!is_card(&wrong), "{number} with another check digit");
        }
        for number in ["1234567812345670", "0000000000000000", "411111111111", ""] {
            assert!(!is_card(number.as_bytes()), "{number}");
        }
    }

    #[test]
    fn numbers_of_persons_obey_their_rules() {
        for (number, expected) in [
            ("123456789", true),
            ("000456789", false),
            ("666456789", false),
            ("123006789", false),
            ("123450000", false),
            ("912706789", true),
            ("912006789", false),
            ("12345678", false),
        ] {
            assert_eq!(is_ssn(number.as_bytes()), expected, "{number}");
        }
        assert!(is_nhs(b"9434765919") && !is_nhs(b"9434765918") && !is_nhs(b"943476591"));
        assert!(is_npi(b"1234567893") && !is_npi(b"1234567890"));
        assert!(is_mbi(b"1EG4TE5MK73") && !is_mbi(b"1EG4TE5MK7S") && !is_mbi(b"1SG4TE5MK73"));
        assert!(is_iban(b"DE89370400440532013000") && !is_iban(b"DE88370400440532013000"));
        assert!(is_north_american(b"4155550123") && !is_north_american(b"4110550123"));
    }
}
