use super::*;

#[test]
fn an_international_number_is_the_same_in_every_country() {
    for number in ["+15550100123", "+442079460018", "+49 30 23125000", "+33 1 99 00 12 34"] {
        let international = normalise_phone(number, None);
        assert!(international.is_some(), "{number}");
        for region in ["US", "GB", "DE", "FR", "IT", "JP", "BR"] {
            assert_eq!(normalise_phone(number, Some(region)), international, "{region}");
        }
    }
}

#[test]
fn one_number_in_many_shapes_is_one_number() {
    for raw in ["+15550100001", " +1 555 010 0001 ", "+1-555-010-0001"] {
        assert_eq!(normalise_phone(raw, None).as_deref(), Some("+15550100001"), "{raw}");
    }
    assert_eq!(normalise_phone("(555) 010-0001", Some("US")).as_deref(), Some("+15550100001"));
    assert_eq!(normalise_phone("020 7946 0018", Some("GB")).as_deref(), Some("+442079460018"));
}

#[test]
fn what_is_no_number_is_not_made_one() {
    assert_eq!(normalise_phone("12345678", Some("US")), None);
    for raw in ["", "anonymous", "+", "12", "+1234567", "sip:someone@example.com"] {
        assert_eq!(normalise_phone(raw, None), None, "{raw}");
    }
}

#[test]
fn a_number_in_e164_is_kept_digit_for_digit() {
    for number in
        ["+78121234567", "+78002000600", "+3758011234567", "+37080012345", "+390236618300"]
    {
        for region in [None, Some("US"), Some("RU"), Some("BY"), Some("LT"), Some("IT")] {
            assert_eq!(normalise_phone(number, region).as_deref(), Some(number), "{region:?}");
        }
    }
}

#[test]
fn a_national_number_that_begins_with_its_own_country_code_is_national() {
    assert_eq!(normalise_phone("9123456789", Some("IN")).as_deref(), Some("+919123456789"));
    assert_eq!(normalise_phone("09123456789", Some("IN")).as_deref(), Some("+919123456789"));
    assert_eq!(normalise_phone("919123456789", Some("IN")).as_deref(), Some("+919123456789"));
    assert_eq!(normalise_phone("5531234567", Some("MX")).as_deref(), Some("+525531234567"));
}

#[test]
fn national_digits_without_a_country_are_no_number() {
    for raw in ["7700900123", "07700900123", "2125550123", "0044 20 7946 0018", "15550100141"] {
        assert_eq!(normalise_phone(raw, None), None, "{raw}");
        assert_eq!(normalise_phone(raw, Some("nowhere")), None, "{raw}");
    }
}

#[test]
fn digits_of_another_country_without_their_plus_are_not_invented_into_this_one() {
    assert_eq!(normalise_phone("15550100141", Some("GB")), None);
    assert_eq!(normalise_phone("15550100141", Some("US")).as_deref(), Some("+15550100141"));
}

#[test]
fn every_spelling_of_a_number_is_one_number() {
    for raw in [
        "\u{202A}+15550100141\u{202C}",
        "\u{202D}+1 555 010 0141\u{202C}",
        "\u{2068}+15550100141\u{2069}",
        "+1\u{200B}5550100141",
        "\u{200E}+1555010\u{200F}0141",
        "\u{FEFF}+15550100141",
        "+1\u{A0}555\u{A0}010\u{A0}0141",
        "+1\u{2009}555\u{202F}010\u{3000}0141",
        "+1\u{2011}555\u{2011}010\u{2011}0141",
        "+1\u{2013}555\u{2014}010\u{2212}0141",
        "\u{FF0B}\u{FF11}\u{FF15}\u{FF15}\u{FF15}\u{FF10}\u{FF11}\u{FF10}\u{FF10}\u{FF11}\u{FF14}\u{FF11}",
        "+\u{661}\u{665}\u{665}\u{665}\u{660}\u{661}\u{660}\u{660}\u{661}\u{664}\u{661}",
        "+\u{6F1}\u{6F5}\u{6F5}\u{6F5}\u{6F0}\u{6F1}\u{6F0}\u{6F0}\u{6F1}\u{6F4}\u{6F1}",
        "+\u{967}\u{96B}\u{96B}\u{96B}\u{966}\u{967}\u{966}\u{966}\u{967}\u{96A}\u{967}",
        "tel:+1-555-010-0141",
        "TEL:+15550100141",
        "tel://+15550100141",
        "whatsapp:+15550100141",
        "WhatsApp: +1 (555) 010-0141",
        "sms:+15550100141",
        "+1.555.010.0141",
        "+1 (555) 010\u{AD}-0141\t\r\n",
        "+1/555/010/0141",
        "\u{2067}tel:+1\u{2060}5550100141\u{2069}",
    ] {
        assert_eq!(normalise_phone(raw, Some("GB")).as_deref(), Some("+15550100141"), "{raw:?}");
    }
}

#[test]
fn a_withheld_number_identifies_no_caller_with_or_without_a_plus() {
    for raw in [
        "266696687",
        "+266696687",
        "00266696687",
        "7378742883",
        "+7378742883",
        "7378742833",
        "2562533",
        "+2562533",
        "8656696",
        "+8566696",
        "86282452253",
        "+86282452253",
        "+86 2824 52253",
        "\u{202A}+266696687\u{202C}",
        "tel:+266696687",
        "0",
        "0000000000",
        "+00000000",
        "anonymous",
        "Anonymous",
        "ANONYMOUS",
        "restricted",
        "Unavailable",
        "PRIVATE",
        "Private number",
        "unknown",
        "No Caller ID",
        "out-of-area",
        "tel:anonymous",
        "\u{200E}Blocked",
    ] {
        assert!(is_withheld(raw), "{raw}");
        for region in [None, Some("DE"), Some("US"), Some("CN"), Some("GB")] {
            assert_eq!(normalise_phone(raw, region), None, "{raw} {region:?}");
        }
    }
    for raw in ["+15550100141", "+492666966870", "anonymous@example.com", ""] {
        assert!(!is_withheld(raw), "{raw}");
    }
}

#[test]
fn a_sentence_with_digits_in_it_is_no_number() {
    for raw in [
        "call +15550100141",
        "+15550100141 or +15550100142",
        "1-800-FLOWERS",
        "+1 555 010 0141 home",
        "room 2125550123",
        "sip:+15550100141@example.com",
        "+15550100141@example.com",
    ] {
        assert_eq!(normalise_phone(raw, Some("US")), None, "{raw}");
    }
}

#[test]
fn an_extension_is_read_apart_and_never_dropped() {
    for raw in [
        "+15550100141,101",
        "+15550100141 ext. 101",
        "+15550100141x101",
        "+1 555 010 0141 #101",
        "tel:+15550100141;ext=101",
        "+15550100141,,101#",
        "\u{202A}+15550100141 ext 101\u{202C}",
    ] {
        let phone = parse_phone(raw, None).unwrap_or_else(|| panic!("{raw}"));
        assert_eq!(
            (phone.e164.as_str(), phone.extension.as_deref()),
            ("+15550100141", Some("101"))
        );
        assert_eq!(normalise_phone(raw, None), None, "{raw}");
    }
    let plain = parse_phone("+15550100141", None).expect("a number");
    assert_eq!(plain.extension, None);
}

#[test]
fn numbers_reserved_for_examples_are_valid_and_their_neighbours_are_not() {
    for number in ["+15550100000", "+15550199999", "+447700900123", "+441632960123"] {
        assert_eq!(normalise_phone(number, None).as_deref(), Some(number));
    }
    for number in ["+15550200000", "+155501000001", "+1555010000", "+447700901123"] {
        assert_eq!(normalise_phone(number, None), None, "{number}");
    }
    assert_eq!(normalise_phone("07700 900123", Some("GB")).as_deref(), Some("+447700900123"));
}

#[test]
fn a_number_does_not_print() {
    assert_eq!(format!("{:?}", parse_phone("+15550100141", None)), "Some(Phone(..))");
}

/// ISO 3166-1 alpha-2: the officially assigned codes.
const ISO_3166: &str = "\
        AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG \
        BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI \
        CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH \
        ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ \
        GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT \
        JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS \
        LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU \
        MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG \
        PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG \
        SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK \
        TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU \
        WF WS YE YT ZA ZM ZW";

#[test]
fn every_country_of_iso_3166_is_one_with_numbers_of_its_own_or_without() {
    let codes: Vec<&str> = ISO_3166.split_whitespace().collect();
    assert_eq!(codes.len(), 249);
    assert!(codes.iter().all(|code| is_country(code)), "{codes:?}");
    let without: Vec<_> = codes.into_iter().filter(|code| !has_numbers(code)).collect();
    assert_eq!(without, ["AQ", "BV", "GS", "HM", "PN", "TF", "UM"]);
    for no_country in ["UK", "EL", "ZZ", "XX", "001", "gb", "", "G", "Germany"] {
        assert!(!is_country(no_country), "{no_country}");
    }
    // In a country without a numbering plan, national digits are not a number.
    assert_eq!(normalise_phone("7700900123", Some("AQ")), None);
    assert_eq!(normalise_phone("+44 7700 900123", Some("AQ")).as_deref(), Some("+447700900123"));
}

#[test]
fn a_code_that_is_taken_for_a_country_is_named_with_the_country_s_own() {
    assert_eq!((country_meant("UK"), country_meant("EL")), (Some("GB"), Some("GR")));
    assert_eq!((country_meant("GB"), country_meant("ZZ")), (None, None));
}
