//! Runs: digits, written and spoken, that may be one number, with what is between them.

use super::token::{Kind, Tokens};
use super::words::{
    AND, DASH, DIGIT, DIGITS, FILLER, HUNDRED, OH, PLUS, STOP, STREET, TEEN, TENS, TIMES, UNIT,
};

/// Most words such as `okay` between the digits of one number.
const MAX_FILLERS: usize = 8;
/// Most digits of an atom; a longer one is no number of a person.
const MAX_ATOM: usize = 40;

/// What is between two atoms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// White space, a hyphen, a point or a parenthesis.
    Tight,
    /// A comma, `and`, or another word or turn.
    Soft,
    /// A slash, as in dates.
    Slash,
    /// A colon, as in times.
    Colon,
}

/// Digits that are written or spoken as one: `4111`, `double five`, `forty two`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Atom {
    pub(super) first: usize,
    pub(super) last: usize,
    /// Range of the digits in [`Runs::digits`].
    pub(super) from: usize,
    pub(super) to: usize,
    /// What is before it in the run.
    pub(super) gap: Gap,
}

/// Atoms that may be one number. The range is one of [`Runs::atoms`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) from: usize,
    pub(super) to: usize,
    /// True if an amount, a percentage or a unit is stated.
    pub(super) is_quantity: bool,
    pub(super) is_spoken: bool,
    /// True if `+` is before the first digit.
    pub(super) is_international: bool,
}

/// All runs of a conversation.
#[derive(Default)]
pub(super) struct Runs {
    pub(super) digits: Vec<u8>,
    pub(super) atoms: Vec<Atom>,
    pub(super) all: Vec<Run>,
}

impl Runs {
    pub(super) fn read(tokens: &Tokens<'_>) -> Self {
        let mut runs = Self::default();
        let mut at = 0;
        while at < tokens.len() {
            at = match runs.atom(tokens, at, false) {
                Some((last, is_spoken)) => runs.run(tokens, (at, last), is_spoken),
                None => at + 1,
            };
        }
        runs
    }

    /// Digits of a range of atoms.
    pub(super) fn digits_of(&self, from: usize, to: usize) -> &[u8] {
        if from >= to { &[] } else { &self.digits[self.atoms[from].from..self.atoms[to - 1].to] }
    }

    /// Reads the run that begins with an atom. Returns the token after it.
    fn run(&mut self, tokens: &Tokens<'_>, (first, last): (usize, usize), spoken: bool) -> usize {
        let from = self.atoms.len() - 1;
        let (mut last, mut is_spoken) = (last, spoken);
        while let Some((next, gap)) = next_atom(tokens, last) {
            let Some((next_last, spoken)) = self.atom(tokens, next, true) else { break };
            if let Some(atom) = self.atoms.last_mut() {
                atom.gap = gap;
            }
            is_spoken |= spoken;
            last = next_last;
        }
        let before = first.checked_sub(1);
        let is_money = before.is_some_and(|at| {
            matches!(tokens.get(at).map(|token| token.kind), Some(Kind::Mark(b'$' | 0xC2 | 0xE2)))
        });
        let is_quantity = is_money
            || tokens.is_mark(last + 1, b'%')
            || (tokens.has(last + 1, UNIT) && !tokens.has(last + 1, STREET | STOP));
        let is_international =
            before.is_some_and(|at| tokens.is_mark(at, b'+') || tokens.has(at, PLUS));
        self.all.push(Run { from, to: self.atoms.len(), is_quantity, is_spoken, is_international });
        last + 1
    }

    /// Reads an atom at a token. Returns its last token and whether it is spoken.
    fn atom(&mut self, tokens: &Tokens<'_>, at: usize, is_inside: bool) -> Option<(usize, bool)> {
        let from = self.digits.len();
        let read = self.number(tokens, at, is_inside);
        let is_read = self.digits.len() > from && self.digits.len() - from <= MAX_ATOM;
        let Some(last) = read.filter(|last| is_read && !is_a_count(tokens, *last)) else {
            self.digits.truncate(from);
            return None;
        };
        let to = self.digits.len();
        self.atoms.push(Atom { first: at, last, from, to, gap: Gap::Tight });
        Some((last, !tokens.is_digits(last)))
    }

    fn number(&mut self, tokens: &Tokens<'_>, at: usize, is_inside: bool) -> Option<usize> {
        let token = tokens.get(at)?;
        let flags = token.word.flags;
        if token.kind == Kind::Digits {
            return self.written(tokens, at);
        }
        if flags & (DIGIT | TEEN | TENS | TIMES | OH) == 0 {
            let is_o = is_inside && tokens.letter(at) == Some(b'o');
            return is_o.then(|| self.push(at, b"0"));
        }
        if flags & OH != 0 {
            let is_digit =
                (is_inside && self.is_beside(at)) || digit_follows(tokens, at, is_inside);
            return is_digit.then(|| self.push(at, b"0"));
        }
        if flags & TIMES != 0 {
            return self.repeated(tokens, at, token.word.value);
        }
        let value = token.word.value;
        if flags & TENS != 0 {
            let unit = at + 1 + usize::from(tokens.is_mark(at + 1, b'-'));
            if tokens.has(unit, DIGIT) && tokens.get(unit).is_some_and(|it| it.word.value > 0) {
                let ones = tokens.get(unit).map_or(0, |it| it.word.value);
                return Some(self.push(unit, &[b'0' + value / 10, b'0' + ones]));
            }
        }
        let last = if value < 10 {
            self.push(at, &[b'0' + value])
        } else {
            self.push(at, &[b'0' + value / 10, b'0' + value % 10])
        };
        if !tokens.has(at + 1, HUNDRED) {
            return Some(last);
        }
        let zeros: &[u8] = if tokens.text(at + 1).len() == 7 { b"00" } else { b"000" };
        Some(self.push(at + 1, zeros))
    }

    /// Reads written digits. Digits that touch letters are a part of another kind of id.
    fn written(&mut self, tokens: &Tokens<'_>, at: usize) -> Option<usize> {
        let touches = (tokens.is_glued(at) && at > 0 && tokens.is_word(at - 1))
            || (tokens.is_glued(at + 1) && tokens.is_word(at + 1) && !tokens.has(at + 1, UNIT));
        if touches {
            return None;
        }
        let mut last = at;
        tokens.digits(at, &mut self.digits);
        // Digits of other scripts are a token each.
        while tokens.is_digits(last + 1) && tokens.is_glued(last + 1) {
            last += 1;
            tokens.digits(last, &mut self.digits);
        }
        Some(last)
    }

    /// Reads `double five` and `triple oh`.
    fn repeated(&mut self, tokens: &Tokens<'_>, at: usize, times: u8) -> Option<usize> {
        let next = at + 1;
        let token = tokens.get(next)?;
        let digit = match token.kind {
            Kind::Digits if tokens.text(next).len() == 1 => tokens.text(next).as_bytes()[0],
            Kind::Word if token.word.flags & DIGIT != 0 => b'0' + token.word.value,
            Kind::Word if token.word.flags & OH != 0 || tokens.letter(next) == Some(b'o') => b'0',
            _ => return None,
        };
        let digits = [digit; 3];
        Some(self.push(next, &digits[..usize::from(times.min(3))]))
    }

    fn push(&mut self, last: usize, digits: &[u8]) -> usize {
        self.digits.extend_from_slice(digits);
        last
    }

    /// Whether an `oh` follows a digit at once.
    fn is_beside(&self, at: usize) -> bool {
        self.atoms.last().is_some_and(|atom| atom.last + 1 == at)
    }
}

/// Whether a digit follows an `oh`, perhaps behind further ones. Inside a number, words such as `okay`
/// may be before it.
fn digit_follows(tokens: &Tokens<'_>, oh: usize, is_inside: bool) -> bool {
    const MOST: usize = 6;
    let skipped = if is_inside { OH | FILLER } else { OH };
    for at in oh + 1..oh + MOST {
        if tokens.has(at, DIGIT | TEEN | TENS | TIMES) || (is_inside && tokens.is_digits(at)) {
            return true;
        }
        let is_pause = is_inside && (tokens.is_mark(at, b',') || tokens.is_label(at));
        if !tokens.has(at, skipped) && !is_pause {
            return at > oh + 2 && !is_inside;
        }
    }
    false
}

/// Whether the number counts digits: `sixteen digits`, `three digit code`.
fn is_a_count(tokens: &Tokens<'_>, last: usize) -> bool {
    let next = last + 1 + usize::from(tokens.is_mark(last + 1, b'-'));
    tokens.has(next, DIGITS)
}

/// Returns the token at which the next atom of a run may begin, and what is before it.
fn next_atom(tokens: &Tokens<'_>, last: usize) -> Option<(usize, Gap)> {
    let mut gap = Gap::Tight;
    let (mut fillers, mut at) = (0, last + 1);
    loop {
        let token = tokens.get(at)?;
        let flags = token.word.flags;
        match token.kind {
            Kind::Digits => return Some((at, gap)),
            Kind::Mark(mark) => {
                let is_tight = token.is_glued && tokens.is_glued(at + 1);
                match mark {
                    b'/' => gap = Gap::Slash,
                    b':' if is_tight => gap = Gap::Colon,
                    b'-' | b'(' | b')' => {}
                    b'.' if is_tight => {}
                    b'.' | b',' | b';' | b'?' | b'!' | b':' | b'"' => gap = soft(gap),
                    _ => return None,
                }
                fillers += 1;
            }
            Kind::Word => {
                if flags & (DIGIT | TEEN | TENS | TIMES) != 0 {
                    return Some((at, gap));
                }
                let is_zero = flags & OH != 0 || tokens.letter(at) == Some(b'o');
                if is_zero && (at == last + 1 || digit_follows(tokens, at, true)) {
                    return Some((at, gap));
                }
                if flags & DASH == 0 {
                    if flags & (FILLER | AND) == 0 && !tokens.is_label(at) {
                        return None;
                    }
                    gap = soft(gap);
                }
                fillers += 1;
            }
        }
        if fillers > MAX_FILLERS {
            return None;
        }
        at += 1;
    }
}

fn soft(gap: Gap) -> Gap {
    if gap == Gap::Tight { Gap::Soft } else { gap }
}
