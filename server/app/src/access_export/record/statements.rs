//! Statements of an export about what the ledger does not record.

use std::collections::BTreeMap;

use ledger_core::retention::{RetentionClass, RetentionPolicy};

/// What Article 15(1) asks for and the ledger does not record by itself, said as it is.
const STATEMENTS: [(&str, &str); 6] = [
    (
        "purposes",
        "The ledger records no purposes of processing. The controller has to state them beside this export.",
    ),
    (
        "source",
        "The data come from the webhooks of the voice platforms that are listed as sources, from bookings by \
         voice tools, and from requests of the controller's own systems.",
    ),
    (
        "recipients",
        "None recorded. The ledger does not record deliveries to others in this version; the voice platforms \
         have the data that they sent.",
    ),
    (
        "read_by",
        "Reads of personal data by API keys that name the person. A read that found the person by a call \
         whose person was not known then is listed if the call belongs to the person alone. Accesses of the \
         operator by command line are not recorded.",
    ),
    (
        "other_persons",
        "In a call of several persons, the sections of the others are left out, and so are sections that \
         belong to no single person; withheld_sections is their number. Ids of other persons are removed \
         from facts.",
    ),
    (
        "recordings",
        "The ledger has links to recordings and no audio. The audio is with the voice platform.",
    ),
];

/// Returns the statements by name, with the periods of the policy.
pub(super) fn statements(policy: &RetentionPolicy) -> BTreeMap<&'static str, String> {
    let known = STATEMENTS.iter().map(|(name, text)| (*name, (*text).to_owned()));
    known.chain([("retention", retention(policy))]).collect()
}

fn retention(policy: &RetentionPolicy) -> String {
    let period = |class: RetentionClass| match policy.days(class) {
        Some(days) => format!("{}: {days} days", class.as_str()),
        None => format!("{}: no period", class.as_str()),
    };
    let periods: Vec<String> = RetentionClass::ALL.into_iter().map(period).collect();
    format!(
        "Periods of the controller's policy: {}. Data without a period are kept until the controller erases them.",
        periods.join(", ")
    )
}
