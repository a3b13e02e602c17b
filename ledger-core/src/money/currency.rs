//! The currencies that a price may have.

/// The active alphabetic codes of ISO 4217, list one, as of amendment 180 (1 January 2026), in order:
/// currencies, and units in which prices are stated, such as `CLF`. The codes of metals, of bond market
/// units, for tests and for no currency are left out. The maintenance agency publishes the list and
/// its amendments at <https://www.six-group.com/en/products-services/financial-information/market-reference-data/data-standards.html>.
const CODES: [&str; 168] = [
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BHD",
    "BIF", "BMD", "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF",
    "CHE", "CHF", "CHW", "CLF", "CLP", "CNY", "COP", "COU", "CRC", "CUP", "CVE", "CZK", "DJF",
    "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP",
    "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR",
    "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT",
    "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP",
    "MRU", "MUR", "MVR", "MWK", "MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR",
    "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB",
    "RWF", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN",
    "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH",
    "UGX", "USD", "USN", "UYI", "UYU", "UYW", "UZS", "VED", "VES", "VND", "VUV", "WST", "XAD",
    "XAF", "XCD", "XCG", "XDR", "XOF", "XPF", "XSU", "XUA", "YER", "ZAR", "ZMW", "ZWG",
];

/// Returns whether a text is the active code of a currency, in upper case.
#[must_use]
pub fn is_currency(code: &str) -> bool {
    CODES.binary_search(&code).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_distinct_codes_in_order() {
        assert!(CODES.is_sorted_by(|one, next| one < next));
        for code in CODES {
            assert!(code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()), "{code}");
        }
    }

    #[test]
    fn only_an_active_code_is_a_currency() {
        for code in ["USD", "EUR", "JPY", "XCG", "ZWG", "SLE", "CLF", "AED", "XAF"] {
            assert!(is_currency(code), "{code}");
        }
        for code in ["DEM", "HRK", "BGN", "ANG", "ZWL", "XXX", "XTS", "XAU", "ZZZ", "usd", "US", ""]
        {
            assert!(!is_currency(code), "{code}");
        }
    }
}
