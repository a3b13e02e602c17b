//! Rules by example.

use super::*;

fn redacted(text: &str) -> String {
    redact(text, &KnownNames::of(["Anna Smith-Garcia", "Will Young"]))
}

#[test]
fn each_class_is_replaced_by_its_name() {
    for (text, expected) in [
        ("my card is 4111 1111-1111 1111, ok", "my card is [card], ok"),
        ("four one one one, one one one one, one one one one, one one one one", "[card]"),
        (
            "quadruple? card four triple one double one one one one one double one triple one one",
            "quadruple? card [card]",
        ),
        ("the CVV is 123.", "the CVV is [card_code]."),
        ("cvv one two three", "cvv [card_code]"),
        ("my pin is 4821", "my pin is [pin]"),
        ("%B4111111111111111^DOE/JANE^25121010000000000?", "[track]"),
        ("ssn 123-45-6789", "ssn [ssn]"),
        ("my social is one two three four five six seven eight nine", "my social is [ssn]"),
        ("call (415) 555-0123", "call [phone]"),
        ("call me at four one five double five five oh one two three", "call me at [phone]"),
        ("call +44 20 7946 0018", "call [phone]"),
        ("write to anna.b+c@mail.example.com now", "write to [email] now"),
        ("it's j o h n dot smith at gmail dot com", "it's [email]"),
        ("IBAN DE89 3704 0044 0532 0130 00", "IBAN [iban]"),
        ("born March 14, 1985", "born [date_of_birth]"),
        ("date of birth oh three fourteen eighty five", "date of birth [date_of_birth]"),
        ("NHS number 943 476 5919", "NHS number [health_id]"),
        ("MRN 00123456", "MRN [health_id]"),
        ("Medicare 1EG4-TE5-MK73", "Medicare [health_id]"),
        ("I live at 12 Oak Street, Springfield, IL 62704", "I live at [address]"),
        ("twelve oh four north oak street apartment five", "[address]"),
        ("I have type 2 diabetes", "I have [condition]"),
        ("refill metformin", "refill [medication]"),
        ("anna smyth called, s-m-i-t-h", "[name] called, [name]"),
    ] {
        assert_eq!(redacted(text), expected, "{text}");
    }
}

#[test]
fn numbers_of_another_kind_stay() {
    for text in [
        "order number 4155552671",
        "it costs $1,234.56 at 12:30 on 03/14/2026",
        "the appointment is on March 14 at ten thirty",
        "card number 4111 1111 1111 1112",
        "lot 123456789 of 45 units",
        "I will be there in May, you may call",
        "pin the note to the board for 2026",
        "the gate security code is 4482",
        "your verification code is 482913",
        "my pin code is 560001 in the city",
        "what's your pin? I have none. okay, then please come on wednesday at ten thirty",
        "the CVV is [card_code]. my room is 204, [pin] 4821 people",
    ] {
        assert_eq!(redacted(text), text);
    }
}
