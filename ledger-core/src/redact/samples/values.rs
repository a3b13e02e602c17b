//! Values of the slots. All are fictional: numbers for examples, invented names and addresses.

mod numbers_of_others;
mod texts;

use super::Form;
use crate::redact::check;

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const ORDINALS: [&str; 20] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const FIRST: [&str; 12] = [
    "Anna", "Marcus", "Priya", "Olivia", "Tomasz", "Chloe", "Dmitri", "Fatima", "Grace", "Hiroshi",
    "Isabel", "Will",
];
const LAST: [&str; 12] = [
    "Kowalski",
    "Henderson",
    "Okafor",
    "Lindqvist",
    "Marchetti",
    "Nguyen",
    "Brown",
    "Petrov",
    "Ramirez",
    "Schuster",
    "Thompson",
    "Young",
];
const STREETS: [&str; 10] = [
    "Oak",
    "Maple",
    "Washington",
    "Lakeview",
    "Cedar Hill",
    "Elm",
    "Park",
    "Sunset",
    "Old Mill",
    "Jefferson",
];
const SUFFIXES: [&str; 8] =
    ["Street", "Avenue", "Road", "Drive", "Lane", "Boulevard", "Court", "St"];
const CITIES: [(&str, &str, &str); 5] = [
    ("Springfield", "Illinois", "IL"),
    ("Riverside", "California", "CA"),
    ("Franklin", "Tennessee", "TN"),
    ("Madison", "Wisconsin", "WI"),
    ("Salem", "Oregon", "OR"),
];

/// A generator of values with a seed.
pub(super) struct Values {
    state: u64,
    terms: &'static str,
}

impl Values {
    pub(super) fn new(seed: u64, terms: &'static str) -> Self {
        Self { state: seed ^ 0x9E37_79B9_7F4A_7C15, terms }
    }

    /// Returns a number below a bound.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below a usize")
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| char::from(b'0' + u8::try_from(self.below(10)).expect("a digit")))
            .collect()
    }

    /// Makes the value of a slot. The words of a name are added to `names`.
    pub(super) fn make(&mut self, slot: &str, form: Form, names: &mut Vec<String>) -> String {
        let is_spoken = form == Form::Spoken;
        match slot {
            "card" => self.card(is_spoken),
            "code" => self.number(3, is_spoken),
            "code4" | "pin" => self.number(4, is_spoken),
            "track" => self.track(),
            "ssn" => self.ssn(is_spoken, false),
            "itin" => self.ssn(is_spoken, true),
            "phone" => self.phone(is_spoken),
            "email" => self.email(is_spoken),
            "iban" => self.iban(is_spoken),
            "dob" => self.date(is_spoken, true),
            "nhs" => self.checked(check::is_nhs, "9", is_spoken),
            "npi" => self.checked(check::is_npi, "1", is_spoken),
            "mbi" => self.mbi(is_spoken),
            "mrn" => {
                let count = 6 + self.below(4);
                self.number(count, is_spoken)
            }
            "address" => self.address(is_spoken),
            "condition" | "medication" => {
                let prefix = format!("{slot}: ");
                let terms: Vec<&str> = self
                    .terms
                    .lines()
                    .filter_map(|line| line.strip_prefix(prefix.as_str()))
                    .collect();
                let term = self.pick(&terms).to_owned();
                if is_spoken { term.to_lowercase().replace('2', "two") } else { term }
            }
            "name" => self.name(is_spoken, names),
            _ => self.other(slot, is_spoken),
        }
    }

    fn number(&mut self, count: usize, is_spoken: bool) -> String {
        let digits = self.digits(count);
        if is_spoken { self.speak(&digits) } else { digits }
    }

    /// Speaks digits: `oh` or `zero`, doubles and triples.
    fn speak(&mut self, digits: &str) -> String {
        let zero = self.pick(&["oh", "zero"]);
        let has_doubles = self.below(2) == 0;
        let bytes = digits.as_bytes();
        let mut words = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let run = bytes[at..].iter().take_while(|byte| **byte == bytes[at]).count().min(3);
            let word = if bytes[at] == b'0' { zero } else { ONES[usize::from(bytes[at] - b'0')] };
            match run {
                2 | 3 if has_doubles => {
                    words.push(if run == 2 { "double" } else { "triple" });
                    words.push(word);
                    at += run;
                }
                _ => {
                    words.push(word);
                    at += 1;
                }
            }
        }
        words.join(" ")
    }

    /// Speaks groups of digits, with pauses, and sometimes as tens.
    fn speak_groups(&mut self, groups: &[&str]) -> String {
        let pause = self.pick(&[" ", ", ", " "]);
        let has_tens = self.below(8) == 0;
        let spoken: Vec<String> = groups
            .iter()
            .map(|group| {
                let is_pairs =
                    group.len() == 4 && group.as_bytes()[0] >= b'2' && group.as_bytes()[2] >= b'1';
                if has_tens && is_pairs {
                    let pairs = [&group[..2], &group[2..]]
                        .map(|pair| say(pair.parse().expect("two digits")));
                    return pairs.join(" ");
                }
                self.speak(group)
            })
            .collect();
        spoken.join(pause)
    }

    fn card(&mut self, is_spoken: bool) -> String {
        let (prefix, len) = self.pick(&[
            ("4", 16),
            ("4", 16),
            ("51", 16),
            ("55", 16),
            ("2221", 16),
            ("2720", 16),
            ("34", 15),
            ("37", 15),
            ("6011", 16),
            ("65", 16),
            ("3530", 16),
            ("36", 14),
            ("62", 16),
        ]);
        let mut digits = format!("{prefix}{}", self.digits(len - prefix.len() - 1));
        let check =
            (b'0'..=b'9').find(|check| check::is_luhn(&[digits.as_bytes(), &[*check]].concat()));
        digits.push(char::from(check.expect("one of ten digits fits")));
        let cuts: &[usize] = if len == 16 { &[4, 8, 12] } else { &[4, 10] };
        self.grouped(&digits, cuts, &["", " ", "-", " "], is_spoken)
    }

    fn grouped(
        &mut self,
        digits: &str,
        cuts: &[usize],
        separators: &[&'static str],
        is_spoken: bool,
    ) -> String {
        let mut groups = Vec::new();
        let mut from = 0;
        for cut in cuts.iter().copied().chain([digits.len()]) {
            groups.push(&digits[from..cut]);
            from = cut;
        }
        if is_spoken {
            return self.speak_groups(&groups);
        }
        groups.join(self.pick(separators))
    }

    fn track(&mut self) -> String {
        let card = self.card(false).replace([' ', '-'], "");
        let tail = self.digits(10);
        match self.below(3) {
            0 => format!("%B{card}^DOE/JANE^2512101{tail}?"),
            1 => format!(";{card}=2512101{tail}?"),
            _ => format!("{card}=2512101{tail}"),
        }
    }

    fn ssn(&mut self, is_spoken: bool, is_itin: bool) -> String {
        loop {
            let mut digits = self.digits(9);
            if is_itin {
                digits.replace_range(0..1, "9");
                digits.replace_range(3..4, "7");
            }
            if check::is_ssn(digits.as_bytes()) && is_itin == digits.starts_with('9') {
                return self.grouped(&digits, &[3, 5], &["-", "-", " ", ""], is_spoken);
            }
        }
    }

    fn iban(&mut self, is_spoken: bool) -> String {
        let account = match self.below(3) {
            0 => ("DE", self.digits(18)),
            1 => ("GB", format!("NWBK{}", self.digits(14))),
            _ => ("NL", format!("ABNA{}", self.digits(10))),
        };
        let iban = (2..99).map(|check| format!("{}{check:02}{}", account.0, account.1));
        let iban =
            iban.into_iter().find(|iban| check::is_iban(iban.as_bytes())).expect("one of 97");
        if !is_spoken {
            let groups: Vec<String> = iban
                .as_bytes()
                .chunks(4)
                .map(|it| String::from_utf8_lossy(it).into_owned())
                .collect();
            return groups.join(self.pick(&["", " "]));
        }
        let words: Vec<String> = iban
            .chars()
            .map(|c| match c.to_digit(10) {
                Some(digit) => ONES[digit as usize].to_owned(),
                None => c.to_string(),
            })
            .collect();
        words.join(" ")
    }

    fn checked(&mut self, is_valid: fn(&[u8]) -> bool, prefix: &str, is_spoken: bool) -> String {
        loop {
            let digits = format!("{prefix}{}", self.digits(9));
            if is_valid(digits.as_bytes()) {
                return self.grouped(&digits, &[3, 6], &["", " "], is_spoken);
            }
        }
    }

    fn mbi(&mut self, is_spoken: bool) -> String {
        const FORMAT: &[u8] = b"CANNANNAANN";
        let text: String = FORMAT
            .iter()
            .map(|kind| match kind {
                b'C' => char::from(b'1' + u8::try_from(self.below(9)).expect("a digit")),
                b'A' => char::from(self.pick(b"ACDEFGHJKMNPQRTUVWXY")),
                _ => char::from(b'0' + u8::try_from(self.below(10)).expect("a digit")),
            })
            .collect();
        if !is_spoken {
            return if self.below(2) == 0 {
                format!("{}-{}-{}", &text[..4], &text[4..7], &text[7..])
            } else {
                text
            };
        }
        let words = text
            .chars()
            .map(|c| c.to_digit(10).map_or(c.to_string(), |it| ONES[it as usize].to_owned()));
        words.collect::<Vec<_>>().join(" ")
    }

    fn name(&mut self, is_spoken: bool, names: &mut Vec<String>) -> String {
        let (first, last) = (self.pick(&FIRST), self.pick(&LAST));
        names.push(format!("{first} {last}"));
        if !is_spoken {
            return if self.below(2) == 0 { format!("{first} {last}") } else { last.to_owned() };
        }
        match self.below(3) {
            0 => format!("{first} {last}").to_lowercase(),
            1 => last.to_lowercase().chars().map(String::from).collect::<Vec<_>>().join(" "),
            // One wrong letter in a long name.
            _ => {
                let at = 2 + self.below(last.len() - 3);
                let wrong = if last.as_bytes()[at] == b'e' { "i" } else { "e" };
                format!("{first} {}{wrong}{}", &last[..at], &last[at + 1..])
            }
        }
    }
}

/// Speaks a number below 100.
fn say(number: usize) -> String {
    match number {
        0..20 => ONES[number].to_owned(),
        _ if number.is_multiple_of(10) => TENS[number / 10].to_owned(),
        _ => format!("{} {}", TENS[number / 10], ONES[number % 10]),
    }
}
