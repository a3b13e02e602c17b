//! Classes of runs of digits: by cues, by form and by check digits.

use super::check;
use super::cues::{CUES, Cue, Cues};
use super::finder::Finder;
use super::run::{Gap, Run, Runs};
use super::words::*;
use super::{Class, Options};
use crate::phone::normalise_phone;

/// Reach of a cue to the number that it announces, in tokens.
const REACH: usize = 45;
/// Reach of a cue behind the number: `123 is my PIN`.
const REACH_BACK: usize = 6;
/// Reach of a repetition of a code, in tokens.
const READBACK: usize = 400;
/// Most digits of a card number.
const MAX_CARD: usize = 19;
/// Most codes that are remembered for repetitions.
const MAX_CODES: usize = 16;

/// Finds numbers. Returns the codes and PINs, for their repetitions in other texts.
pub(super) fn find(
    finder: &mut Finder<'_>,
    runs: &Runs,
    cues: &Cues,
    options: &Options<'_>,
) -> Vec<(Class, Vec<u8>)> {
    let known = options.codes.iter().map(|(class, code)| (*class, code.clone(), None)).collect();
    let mut numbers = Numbers {
        finder,
        runs,
        cues: cues.all(),
        next_cue: 0,
        last: [None; CUES],
        codes: known,
        has_other_classes: !options.secrets_only,
    };
    for run in &runs.all {
        numbers.run(*run);
    }
    let found = numbers.codes.into_iter().filter(|(_, _, at)| at.is_some());
    found.map(|(class, code, _)| (class, code)).collect()
}

struct Numbers<'f, 't, 'r> {
    finder: &'f mut Finder<'t>,
    runs: &'r Runs,
    cues: &'r [(usize, Cue)],
    next_cue: usize,
    /// Place of the last cue of each kind before the current run.
    last: [Option<usize>; CUES],
    /// Codes found so far, and where the last one was; `None` if in another text.
    codes: Vec<(Class, Vec<u8>, Option<usize>)>,
    has_other_classes: bool,
}

impl Numbers<'_, '_, '_> {
    fn run(&mut self, run: Run) {
        let (first, last) = (self.runs.atoms[run.from].first, self.runs.atoms[run.to - 1].last);
        while let Some((at, cue)) = self.cues.get(self.next_cue).filter(|(at, _)| *at < first) {
            self.last[*cue as usize] = Some(*at);
            self.next_cue += 1;
        }
        let total = self.runs.digits_of(run.from, run.to).len();
        if total < 3 && !self.is_announced(Cue::Birth, first) {
            return;
        }
        let rest = self.cards(run);
        if self.codes_and_pins(run, &rest, first, last) || !self.has_other_classes {
            return;
        }
        if run.is_quantity {
            return;
        }
        let rest = (rest.is_empty()).then_some((run.from, run.to));
        if let Some((from, to)) = rest {
            self.number(run, from, to, first, last);
        }
    }

    /// Whether the last cue of a kind reaches a token.
    fn is_announced(&self, cue: Cue, at: usize) -> bool {
        self.distance(cue, at).is_some_and(|distance| distance <= REACH)
    }

    fn distance(&self, cue: Cue, at: usize) -> Option<usize> {
        self.last[cue as usize].map(|cue| at - cue)
    }

    /// Whether the cue is nearer than that of a number of another kind.
    fn is_nearest(&self, cue: Cue, at: usize) -> bool {
        let other = self.distance(Cue::Other, at).unwrap_or(usize::MAX);
        self.distance(cue, at).is_some_and(|distance| distance <= REACH && distance <= other)
    }

    /// Whether the cue reaches a token, and no number of another kind is named right before it.
    fn is_expected(&self, cue: Cue, at: usize) -> bool {
        let is_other = self.distance(Cue::Other, at).is_some_and(|other| other <= 4);
        self.is_nearest(cue, at) || (self.is_announced(cue, at) && !is_other)
    }

    /// Whether a cue follows the run at once.
    fn is_named_after(&self, cue: Cue, last: usize) -> bool {
        let behind =
            self.cues[self.next_cue..].iter().take_while(|(at, _)| *at <= last + REACH_BACK);
        let is_named = behind.clone().any(|(at, it)| *it == cue && *at > last);
        let has_stop = (last + 1..=last + REACH_BACK)
            .any(|at| self.finder.tokens.is_mark(at, b'?') || self.finder.tokens.is_digits(at));
        is_named && !has_stop
    }

    fn add(&mut self, from: usize, to: usize, class: Class) -> bool {
        let (first, last) = (self.runs.atoms[from].first, self.runs.atoms[to - 1].last);
        let before = first.wrapping_sub(1);
        let tokens = &self.finder.tokens;
        let has_sign = tokens.is_glued(first)
            && (tokens.is_mark(before, b'(') || tokens.is_mark(before, b'+'));
        let is_sign_free = has_sign && !self.finder.is_taken(before);
        let first = if class == Class::Phone && is_sign_free { before } else { first };
        self.finder.add(first, last, class)
    }

    /// Finds card numbers. Returns the ranges of atoms that are left over; empty without a card.
    fn cards(&mut self, run: Run) -> Vec<(usize, usize)> {
        let mut left = Vec::new();
        let (mut from, mut at) = (run.from, run.from);
        while at < run.to {
            let Some(to) = self.card_at(run, at) else {
                at += 1;
                continue;
            };
            if self.has_other_classes {
                self.add(at, to, Class::Card);
            }
            let token = self.runs.atoms[to - 1].last;
            self.last[Cue::Card as usize] = Some(token.min(self.runs.atoms[run.from].first));
            left.push((from, at));
            (from, at) = (to, to);
        }
        if !left.is_empty() {
            left.push((from, run.to));
        }
        left
    }

    /// Returns the end of a card number that begins at an atom, the length that most cards of the
    /// network have first.
    fn card_at(&self, run: Run, from: usize) -> Option<usize> {
        const LENGTHS: [usize; 8] = [16, 15, 14, 19, 18, 17, 13, 12];
        let atoms = &self.runs.atoms;
        // Inside a group, a card number begins only behind another long number.
        let is_start = from == run.from || atoms[from].gap != Gap::Tight;
        let total = self.runs.digits_of(run.from, run.to).len();
        if !is_start && total <= MAX_CARD {
            return None;
        }
        let mut ends = [0_usize; 20];
        for to in from + 1..=run.to {
            if to > from + 1 && matches!(atoms[to - 1].gap, Gap::Slash | Gap::Colon) {
                break;
            }
            let len = atoms[to - 1].to - atoms[from].from;
            match ends.get_mut(len) {
                Some(end) => *end = to,
                None => break,
            }
        }
        // A part of a group is a card number only if it has the usual length.
        let is_end = |to: usize| to == run.to || atoms[to].gap != Gap::Tight;
        let ends = |len: usize| Some(ends[len]).filter(|to| *to > 0 && (len == 16 || is_end(*to)));
        let is_card = |to: &usize| check::is_card(self.runs.digits_of(from, *to));
        LENGTHS.into_iter().filter_map(ends).find(is_card)
    }

    /// Finds verification codes and PINs. Returns whether the run has one.
    fn codes_and_pins(
        &mut self,
        run: Run,
        left: &[(usize, usize)],
        first: usize,
        last: usize,
    ) -> bool {
        let mut is_found = false;
        // Behind a card number: expiry and code.
        if let Some((from, to)) = left.last().copied().filter(|_| left.len() > 1) {
            is_found |= self.behind_card(run, from, to);
        }
        let range =
            if left.is_empty() { (run.from, run.to) } else { *left.last().unwrap_or(&(0, 0)) };
        if !is_found && range.0 < range.1 && !run.is_quantity {
            is_found |= self.code(range, first, last);
        }
        is_found || self.readback(run, first)
    }

    fn behind_card(&mut self, run: Run, from: usize, to: usize) -> bool {
        let len = self.runs.digits_of(from, to).len();
        let is_code = match len {
            3..=4 => self.is_announced(Cue::Code, self.runs.atoms[run.from].first),
            _ => false,
        };
        if (6..=9).contains(&len) || is_code {
            return self.secret(from, to, Class::CardCode);
        }
        false
    }

    fn code(&mut self, (from, to): (usize, usize), first: usize, last: usize) -> bool {
        let is_code = self.is_nearest(Cue::Code, first) || self.is_named_after(Cue::Code, last);
        let pin_after = self.is_named_after(Cue::Pin, last);
        let is_pin = self.is_nearest(Cue::Pin, first) || pin_after;
        let is_postal = || {
            let len = self.runs.digits_of(from, to).len();
            len == 6 && !self.is_announced(Cue::Card, first)
        };
        let is_pin = is_pin || (self.is_nearest(Cue::PinCode, first) && !is_postal());
        let nearer_pin = self.distance(Cue::Pin, first).min(self.distance(Cue::PinCode, first));
        let pin_first = !is_code
            || (is_pin && nearer_pin < self.distance(Cue::Code, first) && nearer_pin.is_some());
        let mut is_found = false;
        if is_pin && pin_first {
            is_found = self.groups(from, to, 4..=8, Class::Pin, first);
        }
        if is_code && !is_found {
            is_found = self.groups(from, to, 3..=4, Class::CardCode, first);
            let len = self.runs.digits_of(from, to).len();
            let has_expiry = self.is_announced(Cue::Expiry, first);
            if !is_found && has_expiry && (6..=9).contains(&len) {
                is_found = self.secret(from, to, Class::CardCode);
            }
        }
        // A card number, its expiry, and three digits without a word.
        let after_card = self.distance(Cue::Card, first).is_some_and(|it| it <= 16);
        if !is_found && after_card && self.is_announced(Cue::Expiry, first) {
            is_found = self.behind_expiry(from, to);
        }
        is_found
    }

    /// Finds the last group of three or four digits behind a date: `04/27, 123`.
    fn behind_expiry(&mut self, from: usize, to: usize) -> bool {
        let groups = self.split(from, to);
        let is_date = |group: &(usize, usize)| self.has_slash(*group);
        let Some((from, to)) = groups.last().copied() else { return false };
        let is_code = matches!(self.runs.digits_of(from, to).len(), 3..=4);
        let has_date = groups[..groups.len() - 1].iter().any(is_date);
        is_code && has_date && !self.has_slash((from, to)) && self.secret(from, to, Class::CardCode)
    }

    /// Finds groups with a number of digits, or all of them together.
    fn groups(
        &mut self,
        from: usize,
        to: usize,
        lengths: std::ops::RangeInclusive<usize>,
        class: Class,
        first: usize,
    ) -> bool {
        let has_expiry = self.is_announced(Cue::Expiry, first);
        let mut is_found = false;
        let groups = self.split(from, to);
        if lengths.contains(&self.runs.digits_of(from, to).len())
            && !groups.iter().any(|group| self.has_slash(*group) || self.has_point(*group))
            && !(groups.len() == 1 && self.is_date(from, to, has_expiry))
        {
            return self.secret(from, to, class);
        }
        for (from, to) in groups {
            let fits = lengths.contains(&self.runs.digits_of(from, to).len());
            let is_marked = self.has_slash((from, to)) || self.has_point((from, to));
            if fits && !is_marked && !self.is_date(from, to, has_expiry) {
                is_found |= self.secret(from, to, class);
            }
        }
        is_found
    }

    /// Whether digits are the year of an expiry: behind a month, or a year of this century.
    fn is_date(&self, from: usize, to: usize, has_expiry: bool) -> bool {
        let first = self.runs.atoms[from].first;
        let digits = self.runs.digits_of(from, to);
        let is_year = digits.len() == 4 && digits.starts_with(b"20");
        self.finder.tokens.any_before(first, 2, MONTH) || (has_expiry && is_year)
    }

    /// Whether a slash or a colon is between the digits, as in a date or a time.
    fn has_slash(&self, (from, to): (usize, usize)) -> bool {
        self.runs.atoms[from + 1..to].iter().any(|atom| matches!(atom.gap, Gap::Slash | Gap::Colon))
    }

    /// Whether a written point is between the digits, as in `4.1.3`.
    fn has_point(&self, (from, to): (usize, usize)) -> bool {
        self.runs.atoms[from + 1..to]
            .iter()
            .any(|atom| self.finder.tokens.is_mark(atom.first.wrapping_sub(1), b'.'))
    }

    /// Splits atoms at soft gaps.
    fn split(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let mut groups = Vec::new();
        let mut begun = from;
        for at in from + 1..to {
            if self.runs.atoms[at].gap == Gap::Soft {
                groups.push((begun, at));
                begun = at;
            }
        }
        groups.push((begun, to));
        groups
    }

    fn secret(&mut self, from: usize, to: usize, class: Class) -> bool {
        let code = self.runs.digits_of(from, to).to_vec();
        let at = self.runs.atoms[to - 1].last;
        let is_added = self.add(from, to, class);
        if is_added && (3..=8).contains(&code.len()) && self.codes.len() < MAX_CODES {
            self.codes.push((class, code, Some(at)));
        }
        is_added
    }

    /// Finds repetitions of a code: in the same text, or behind a word such as `code` in another.
    fn readback(&mut self, run: Run, first: usize) -> bool {
        if self.codes.is_empty() || run.is_quantity {
            return false;
        }
        let mut is_found = false;
        for (from, to) in [(run.from, run.to)].into_iter().chain(self.split(run.from, run.to)) {
            let digits = self.runs.digits_of(from, to);
            let same = self.codes.iter().find(|(_, code, _)| code == digits);
            let Some((class, _, at)) = same else { continue };
            const WORDS: u64 = CODE | NUMBER | DIGITS | CVV | PIN | SECURITY;
            let is_near = at.is_some_and(|at| first.saturating_sub(at) <= READBACK)
                || self.finder.tokens.any_before(first, 12, WORDS);
            let class = *class;
            if is_near && self.add(from, to, class) {
                is_found = true;
            }
        }
        is_found
    }

    /// Classifies the digits of a whole run, or else of its groups.
    fn number(&mut self, run: Run, from: usize, to: usize, first: usize, last: usize) {
        let class = self.class(run, from, to, first, last);
        if let Some(class) = class {
            self.add(from, to, class);
            return;
        }
        let groups = self.split(from, to);
        if groups.len() < 2 {
            return;
        }
        for (from, to) in groups {
            let (first, last) = (self.runs.atoms[from].first, self.runs.atoms[to - 1].last);
            if self.runs.digits_of(from, to).len() < 3 {
                continue;
            }
            if let Some(class) = self.class(run, from, to, first, last) {
                self.add(from, to, class);
            }
        }
    }

    fn class(&self, run: Run, from: usize, to: usize, first: usize, last: usize) -> Option<Class> {
        let digits = self.runs.digits_of(from, to);
        let len = digits.len();
        let is_date = self.has_slash((from, to));
        let announced = |cue| self.is_expected(cue, first) || self.is_named_after(cue, last);
        if matches!(len, 3..=8)
            && (self.is_nearest(Cue::Birth, first) && self.is_first_after(Cue::Birth, first)
                || self.is_named_after(Cue::Birth, last))
        {
            return Some(Class::DateOfBirth);
        }
        if is_date {
            return None;
        }
        if len == 9
            && (announced(Cue::Ssn) || (self.is_written_ssn(from, to) && check::is_ssn(digits)))
        {
            return Some(Class::Ssn);
        }
        if len == 4 && self.distance(Cue::Ssn, first).is_some_and(|it| it <= 16) {
            return Some(Class::Ssn);
        }
        if len == 10 && (announced(Cue::Nhs) || announced(Cue::Npi)) {
            let is_checked = check::is_nhs(digits) || check::is_npi(digits);
            let is_near = |cue| self.distance(cue, first).is_some_and(|it| it <= 12);
            if is_checked || is_near(Cue::Nhs) || is_near(Cue::Npi) {
                return Some(Class::HealthId);
            }
        }
        if matches!(len, 5..=12) && announced(Cue::Record) {
            return Some(Class::HealthId);
        }
        if matches!(len, 5 | 9) && self.distance(Cue::Zip, first).is_some_and(|it| it <= 16) {
            return Some(Class::Address);
        }
        self.is_phone(run, (from, to), first, last).then_some(Class::Phone)
    }

    /// Whether no other number is between a cue and the run.
    fn is_first_after(&self, cue: Cue, first: usize) -> bool {
        self.distance(cue, first).is_some_and(|distance| distance <= 30)
    }

    /// Whether the digits are written as `123-45-6789`.
    fn is_written_ssn(&self, from: usize, to: usize) -> bool {
        let atoms = &self.runs.atoms[from..to];
        let lengths: Vec<usize> = atoms.iter().take(4).map(|atom| atom.to - atom.from).collect();
        lengths == [3, 2, 4] && self.finder.tokens.is_mark(atoms[0].last + 1, b'-')
    }

    fn is_phone(&self, run: Run, (from, to): (usize, usize), first: usize, last: usize) -> bool {
        let digits = self.runs.digits_of(from, to);
        let len = digits.len();
        let is_whole = from == run.from;
        if run.is_international && is_whole && (8..=15).contains(&len) {
            let text = format!("+{}", String::from_utf8_lossy(digits));
            return len >= 10 || normalise_phone(&text, None).is_some();
        }
        let other = self.distance(Cue::Other, first).is_some_and(|distance| distance <= 6);
        let phone = self.distance(Cue::Phone, first).unwrap_or(usize::MAX);
        let is_other = other && self.distance(Cue::Other, first).is_some_and(|it| it < phone);
        if is_other {
            return false;
        }
        let is_announced = phone <= REACH || self.is_named_after(Cue::Phone, last);
        let national = if len == 11 && digits[0] == b'1' { &digits[1..] } else { digits };
        if check::is_north_american(national) {
            let is_alone = to - from == 1 && digits.len() == 10;
            return is_announced || run.is_spoken || is_alone || self.is_grouped(from, to);
        }
        let is_trunk = digits.starts_with(b"0") && (9..=14).contains(&len);
        is_announced && (len == 7 || is_trunk)
    }

    /// Whether written digits are in groups of at most four.
    fn is_grouped(&self, from: usize, to: usize) -> bool {
        let atoms = &self.runs.atoms[from..to];
        (3..=4).contains(&atoms.len()) && atoms.iter().all(|atom| atom.to - atom.from <= 4)
    }
}
