//! Card numbers, verification codes and PINs, and their repetitions.

use super::super::check;
use super::super::cues::Cue;
use super::super::run::{Gap, Run};
use super::super::words::{AT, CODE, CVV, DIGITS, MONTH, NUMBER, PIN, SECURITY};
use super::{Class, MAX_CARD, MAX_CODES, Numbers, READBACK};

/// Reach of a question to a number behind `at`, in tokens.
const ASKED: usize = 8;
/// Words before a repetition of a code in another text.
const WORDS: u64 = CODE | NUMBER | DIGITS | CVV | PIN | SECURITY;

impl Numbers<'_, '_, '_> {
    /// Finds card numbers. Returns the ranges of atoms that are left over; empty without a card.
    pub(super) fn cards(&mut self, run: Run) -> Vec<(usize, usize)> {
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
    pub(super) fn codes_and_pins(
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
        // `at ten thirty` is a time, unless a code was asked for just before.
        let asked = [Cue::Code, Cue::Pin, Cue::PinCode].map(|cue| self.distance(cue, first));
        let is_asked = asked.into_iter().flatten().any(|distance| distance <= ASKED);
        if first > 0 && self.finder.tokens.has(first - 1, AT) && !is_asked {
            return false;
        }
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
    pub(super) fn has_slash(&self, (from, to): (usize, usize)) -> bool {
        self.runs.atoms[from + 1..to].iter().any(|atom| matches!(atom.gap, Gap::Slash | Gap::Colon))
    }

    /// Whether a written point is between the digits, as in `4.1.3`.
    fn has_point(&self, (from, to): (usize, usize)) -> bool {
        self.runs.atoms[from + 1..to]
            .iter()
            .any(|atom| self.finder.tokens.is_mark(atom.first.wrapping_sub(1), b'.'))
    }

    /// Splits atoms at soft gaps.
    pub(super) fn split(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
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
    pub(super) fn readback(&mut self, run: Run, first: usize) -> bool {
        if self.codes.is_empty() || run.is_quantity {
            return false;
        }
        let mut is_found = false;
        for (from, to) in [(run.from, run.to)].into_iter().chain(self.split(run.from, run.to)) {
            let digits = self.runs.digits_of(from, to);
            let same = self.codes.iter().find(|(_, code, _)| code == digits);
            let Some((class, _, at)) = same else { continue };
            let is_near = at.is_some_and(|at| first.saturating_sub(at) <= READBACK)
                || self.finder.tokens.any_before(first, 12, WORDS);
            let class = *class;
            if is_near && self.add(from, to, class) {
                is_found = true;
            }
        }
        is_found
    }
}
