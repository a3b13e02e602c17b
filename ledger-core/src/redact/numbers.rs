//! Classes of runs of digits: by cues, by form and by check digits.

mod cards;

use super::check;
use super::cues::{CUES, Cue, Cues};
use super::finder::Finder;
use super::run::{Run, Runs};
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
