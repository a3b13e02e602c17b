//! Data that the numbering plans lack.

/// URI schemes that platforms prepend to a number (`tel` of RFC 3966, `whatsapp` of Twilio). `sip`
/// is not included: a SIP address is a handle of its own.
pub(super) const SCHEMES: &[&str] = &[
    "tel",
    "telprompt",
    "callto",
    "sms",
    "smsto",
    "mms",
    "rcs",
    "whatsapp",
    "wa",
    "signal",
    "viber",
];

/// Numbers reserved for examples that are not valid in Google's plans: prefix and length of the
/// E.164 form. Other reserved ranges (`+1 212 555 0100`, `+44 20 7946 0000`) are valid in the
/// plans.
pub(super) const EXAMPLES: &[(&str, usize)] = &[
    // North America has no area code 555; `555-01xx` is its range for examples.
    ("+155501", 12),
    // Ofcom, "telephone numbers for drama use": mobile numbers, and numbers without an area.
    ("+447700900", 13),
    ("+441632960", 13),
    // Arcep, mobile numbers for audiovisual works.
    ("+3363998", 12),
];

/// Codes for a withheld number: words typed on a telephone keypad, as documented by Twilio and the
/// carriers. Compared without plus and leading zeros.
pub(super) const WITHHELD_CODES: &[&str] = &[
    "266696687",   // ANONYMOUS
    "7378742833",  // RESTRICTED
    "7378742883",  // RESTRICTED with a common misprint
    "2562533",     // BLOCKED
    "8656696",     // UNKNOWN
    "8566696",     // UNKNOWN as documented by Twilio
    "86282452253", // UNAVAILABLE
    "7748283",     // PRIVATE
    "464",         // Twilio, for a caller without an id
];

/// Words for a withheld number, as sent by SIP (RFC 3323, 3325), Twilio, Vonage, Telnyx, Plivo and
/// Vapi, and as displayed by telephones. Compared by letters only, in lower case.
pub(super) const WITHHELD_WORDS: &[&str] = &[
    "anonymous",
    "anonym",
    "blocked",
    "callerunknown",
    "hidden",
    "idwithheld",
    "nocallerid",
    "noid",
    "nonumber",
    "notavailable",
    "notprovided",
    "numberwithheld",
    "outofarea",
    "payphone",
    "private",
    "privatecaller",
    "privatenumber",
    "restricted",
    "unavailable",
    "undisclosed",
    "unknown",
    "unknowncaller",
    "unknownnumber",
    "withheld",
];

/// Countries of ISO 3166-1 without a numbering plan; their residents have numbers of other
/// countries.
pub(super) const WITHOUT_NUMBERS: &[&str] = &["AQ", "BV", "GS", "HM", "PN", "TF", "UM"];

/// Codes that ISO 3166-1 does not assign to a country, and the country's own code: `UK` is only
/// reserved, `EL` is the European Union's code for Greece.
pub(super) const MISTAKEN_CODES: &[(&str, &str)] = &[("UK", "GB"), ("EL", "GR")];
