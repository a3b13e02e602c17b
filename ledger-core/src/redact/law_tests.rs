//! Laws: splits, any input, time.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::samples::{Form, Samples};
use super::*;

fn classes(segments: &[&str], names: &KnownNames) -> Vec<Class> {
    let mut classes: Vec<Class> = find(segments, names).iter().map(|span| span.class).collect();
    // A value over several segments has a span in each.
    classes.dedup();
    classes
}

/// The characters that are left, without white space.
fn left(segments: &[&str], names: &KnownNames) -> String {
    let spans = find(segments, names);
    let kept = segments.iter().enumerate().map(|(segment, text)| {
        let mut kept = String::new();
        let mut at = 0;
        for span in spans.iter().filter(|span| span.segment == segment) {
            kept.push_str(&text[at..span.start]);
            at = span.end;
        }
        kept + &text[at..]
    });
    kept.collect::<String>().split_whitespace().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_split_at_white_space_gives_the_same_result(seed in any::<u64>(), cuts in any::<u64>()) {
        let names = KnownNames::of(["Anna Smith"]);
        let mut samples = Samples::new(seed);
        let whole = format!("{} {}", samples.any(Form::Spoken).joined(), samples.any(Form::Written).joined());
        let mut segments = Vec::new();
        let (mut begun, mut nth) = (0, 0);
        for (at, _) in whole.match_indices(' ') {
            nth += 1;
            if cuts >> (nth % 64) & 1 == 1 {
                segments.push(&whole[begun..at]);
                begun = at;
            }
        }
        segments.push(&whole[begun..]);
        prop_assert_eq!(classes(&segments, &names), classes(&[&whole], &names), "{:?}", segments);
        prop_assert_eq!(left(&segments, &names), left(&[&whole], &names), "{:?}", segments);
    }

    #[test]
    fn no_text_makes_it_panic(
        text in ".{0,80}",
        words in "((one|oh|double|at|dot|com|card|cvv|pin|march|street|ssn|o|a|iban|twenty|hundred|,|\\.|-|@|%|;|=|\\^|12|4111|é|½|٣|\u{2019}|:)[ ]?){0,40}"
    ) {
        let names = KnownNames::of(["Anna Smith", "Łukasz Öz"]);
        for text in [text, words] {
            let spans = find(&[&text, &text], &names);
            for pair in spans.windows(2) {
                prop_assert!(pair[0].segment < pair[1].segment || pair[0].end <= pair[1].start);
            }
            let _ = redact(&text, &names);
        }
    }

    #[test]
    fn redacted_text_has_nothing_left_to_redact(seed in any::<u64>()) {
        let names = KnownNames::of(["Anna Smith"]);
        let text = Samples::new(seed).any(Form::Written).joined();
        let once = redact(&text, &names);
        let again = redact(&once, &names);
        let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
        prop_assert!(digits(&again) <= digits(&once), "{}", text);
    }
}

#[test]
fn the_time_is_linear_in_hostile_text() {
    let names = KnownNames::of(["Anna Smith"]);
    for pattern in [
        "4",
        "41 ",
        "4111 ",
        "one ",
        "oh ",
        "double ",
        "a ",
        "a@",
        "a.",
        "at dot com ",
        "at a ",
        "12 oak ",
        "street ",
        "cvv ",
        "cvv 123 ",
        "card 4111 ",
        "iban d e ",
        "iban ",
        "medicare 1 ",
        "march ",
        "born march ",
        "1 a ",
        "DE89 ",
        "s m i t h ",
        "Smith ",
        "pin 1234 5678, ",
        "okay ",
        "one okay ",
        "4111111111111111=",
        "%B4111111111111111^",
        "user: ",
        "type ",
        "twenty ",
        "one, ",
        "5 a b c d ",
        "\u{200b}",
        "é",
    ] {
        // A quadratic scan of this text takes many minutes.
        let text = pattern.repeat(400_000 / pattern.len());
        let begun = Instant::now();
        let _ = redact(&text, &names);
        assert!(begun.elapsed() < Duration::from_mins(1), "{pattern:?}");
    }
}
