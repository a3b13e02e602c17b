//! Cues: words by which a number is known to be of a class, such as `what is your date of birth`.

use super::token::{Kind, Tokens};
use super::words::{
    BACK, BIRTH, CARD, CODE, CVV, DIGIT, DIGITS, EXPIRY, FRONT, IBAN, LAST, MEDICARE, NHS,
    NOT_CARD, NOT_CODE, NOT_PIN, NPI, NUMBER, OTHER, OWN, PHONE, PIN, RECORD, RECORD_HEAD,
    SECURITY, SOCIAL, SSN, TAX, ZIP,
};

/// What a cue announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    Card,
    Code,
    Pin,
    PinCode,
    Expiry,
    Ssn,
    Phone,
    Birth,
    Record,
    Nhs,
    Npi,
    Medicare,
    Iban,
    Zip,
    /// A number of another kind, such as that of an order.
    Other,
}

/// Number of kinds of cues.
pub(super) const CUES: usize = Cue::Other as usize + 1;

/// How far a mention of a card makes `security code` one of the card, in tokens.
const CARD_REACH: usize = 300;

/// How far a mention of a card makes `code` one of the card, in tokens.
const CODE_REACH: usize = 20;

const ANY: u64 = CARD
    | CVV
    | SECURITY
    | CODE
    | NUMBER
    | DIGITS
    | BACK
    | PIN
    | EXPIRY
    | SOCIAL
    | SSN
    | TAX
    | PHONE
    | BIRTH
    | RECORD
    | NHS
    | NPI
    | MEDICARE
    | IBAN
    | OTHER
    | ZIP;

/// The cues of a conversation in order.
pub(super) struct Cues {
    all: Vec<(usize, Cue)>,
    /// True if a payment card is mentioned.
    pub(super) has_card: bool,
}

impl Cues {
    /// Reads the cues. `is_card_call`: a payment card is mentioned elsewhere in the call.
    pub(super) fn read(tokens: &Tokens<'_>, is_card_call: bool) -> Self {
        let mut reader =
            Reader { tokens, all: Vec::new(), card: None, is_card_call, letters: [0; 3] };
        for (at, token) in tokens.all().iter().enumerate() {
            if token.word.flags & ANY != 0 && !is_placeholder(tokens, at) {
                reader.word(at, token.word.flags);
            }
            if token.kind == Kind::Word {
                reader.spelled(at);
            }
        }
        Self { has_card: reader.card.is_some(), all: reader.all }
    }

    pub(super) fn all(&self) -> &[(usize, Cue)] {
        &self.all
    }
}

struct Reader<'t, 's> {
    tokens: &'t Tokens<'s>,
    all: Vec<(usize, Cue)>,
    /// Last mention of a payment card.
    card: Option<usize>,
    is_card_call: bool,
    /// The last three tokens, if they are single letters.
    letters: [u8; 3],
}

impl Reader<'_, '_> {
    fn add(&mut self, at: usize, cue: Cue) {
        self.all.push((at, cue));
        if matches!(cue, Cue::Card | Cue::Code) {
            self.card = Some(at);
        }
    }

    fn is_near_card(&self, at: usize) -> bool {
        let is_before = self.card.is_some_and(|card| at - card <= CARD_REACH);
        let is_after = || {
            (at + 1..at + 13)
                .any(|at| self.tokens.has(at, CARD) && !self.tokens.any_before(at, 1, NOT_CARD))
        };
        self.is_card_call || is_before || is_after()
    }

    fn word(&mut self, at: usize, flags: u64) {
        let tokens = self.tokens;
        let is = |flag: u64| flags & flag != 0;
        if is(CARD) && !tokens.any_before(at, 1, NOT_CARD) {
            self.add(at, Cue::Card);
        }
        if is(CVV) {
            self.add(at, Cue::Code);
        }
        if is(CODE | NUMBER | DIGITS) {
            self.code(at, flags);
        }
        // `on the back`, not `read it back`.
        if is(BACK) && (is_text(tokens, at, 1, "the") || is_text(tokens, at, 1, "signature")) {
            let is_named = tokens.any_before(at, 7, CODE | DIGITS);
            let is_number = || tokens.any_before(at, 6, NUMBER) && self.is_near_card(at);
            if is_named || is_number() {
                self.add(at, Cue::Code);
            }
        }
        if is(PIN) && !tokens.has(at + 1, NOT_PIN) {
            let is_postal = tokens.has(at + 1, CODE) || tokens.text(at).len() > 4;
            self.add(at, if is_postal { Cue::PinCode } else { Cue::Pin });
        }
        for (flag, cue) in [
            (EXPIRY, Cue::Expiry),
            (SSN, Cue::Ssn),
            (BIRTH, Cue::Birth),
            (RECORD, Cue::Record),
            (NHS, Cue::Nhs),
            (NPI, Cue::Npi),
            (MEDICARE, Cue::Medicare),
            (IBAN, Cue::Iban),
            (ZIP, Cue::Zip),
            (OTHER, Cue::Other),
        ] {
            if is(flag) {
                self.add(at, cue);
            }
        }
        if is(SOCIAL) && self.is_social_number(at) {
            self.add(at, Cue::Ssn);
        }
        if is(TAX) && tokens.any(at + 1..at + 4, NUMBER) {
            self.add(at, Cue::Ssn);
        }
        if is(PHONE) {
            self.add(at, Cue::Phone);
        }
    }

    /// `social media` and `social worker` are no numbers.
    fn is_social_number(&self, at: usize) -> bool {
        const OTHERS: [&str; 8] =
            ["media", "worker", "distancing", "work", "event", "network", "club", "life"];
        let next = at + 1;
        !(self.tokens.is_word(next)
            && OTHERS.iter().any(|it| self.tokens.text(next).eq_ignore_ascii_case(it)))
    }

    /// `security code`, `three digits`, `personal identification number`, `my number`, `patient id`.
    fn code(&mut self, at: usize, flags: u64) {
        let tokens = self.tokens;
        let before = |count: usize, flag: u64| tokens.any_before(at, count, flag);
        let text_before = |back: usize, text: &str| is_text(tokens, at, back, text);
        if before(3, SECURITY) && !before(4, SOCIAL) {
            if self.is_near_card(at) {
                self.add(at, Cue::Code);
            }
            return;
        }
        if text_before(1, "identification") && text_before(2, "personal") {
            self.add(at, Cue::Pin);
            return;
        }
        if text_before(1, "identification") && text_before(2, "tax") {
            return;
        }
        let is_beside_card = self.card.is_some_and(|card| at - card <= CODE_REACH);
        if flags & CODE != 0 && is_beside_card && !before(1, OTHER | ZIP | PIN | NOT_CODE) {
            self.add(at, Cue::Code);
        }
        if flags & (DIGITS | NUMBER | CODE) != 0 && self.is_short_code(at) {
            self.add(at, Cue::Code);
        }
        if flags & NUMBER != 0 {
            if before(2, RECORD_HEAD) || (text_before(1, "record") && before(3, RECORD_HEAD)) {
                self.add(at, Cue::Record);
            } else if text_before(1, "provider")
                || before(2, CARD | OTHER | NHS | NPI | MEDICARE | IBAN)
            {
                // The word before names the kind.
            } else if before(1, OWN)
                || (text_before(1, "the") && before(2, OWN))
                || tokens.text(at).eq_ignore_ascii_case("number's")
            {
                self.add(at, Cue::Phone);
            }
        }
    }

    /// `three digits` near a card, or `four digits on the front`.
    fn is_short_code(&self, at: usize) -> bool {
        let tokens = self.tokens;
        let count = |back: usize| {
            let at = at.checked_sub(back)?;
            let token = tokens.get(at)?;
            let value = match token.kind {
                Kind::Digits => tokens.text(at).parse().ok()?,
                Kind::Word if token.word.flags & DIGIT != 0 => token.word.value,
                _ => return None,
            };
            Some((value, at))
        };
        let Some((count, counted)) = count(1).or_else(|| count(2)) else { return false };
        let is_last = tokens.any_before(counted, 1, LAST);
        match count {
            3 => self.is_near_card(at),
            4 => !is_last && tokens.any(at + 1..at + 8, FRONT | BACK) && self.is_near_card(at),
            _ => false,
        }
    }

    /// Words that are spelled: `C V V`, `p i n`, `D.O.B.`.
    fn spelled(&mut self, at: usize) {
        let Some(letter) = self.tokens.letter(at) else {
            self.letters = [0; 3];
            return;
        };
        self.letters = [self.letters[1], self.letters[2], letter];
        let cue = match &self.letters {
            b"cvv" | b"cvc" | b"csc" => Cue::Code,
            b"pin" => Cue::Pin,
            b"ssn" => Cue::Ssn,
            b"dob" => Cue::Birth,
            b"nhs" => Cue::Nhs,
            b"npi" => Cue::Npi,
            b"mbi" => Cue::Medicare,
            b"mrn" => Cue::Record,
            _ => return,
        };
        self.add(at, cue);
    }
}

/// Whether a word is a part of a replacement such as `[card_code]`, which announces nothing.
fn is_placeholder(tokens: &Tokens<'_>, at: usize) -> bool {
    let begins = at > 0 && tokens.is_glued(at) && {
        tokens.is_mark(at - 1, b'[') || tokens.is_mark(at - 1, b'_')
    };
    begins && (tokens.is_mark(at + 1, b']') || tokens.is_mark(at + 1, b'_'))
}

/// Whether a word is so many tokens before another one.
fn is_text(tokens: &Tokens<'_>, at: usize, back: usize, text: &str) -> bool {
    at >= back && tokens.is_word(at - back) && tokens.text(at - back).eq_ignore_ascii_case(text)
}
