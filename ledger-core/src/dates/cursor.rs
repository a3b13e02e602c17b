//! A position in the tokens of a phrase. A pattern that does not match leaves it where it was.

use chrono::Weekday;

use super::token::{Kind, Number, Token};
use super::words;

#[derive(Debug)]
pub(super) struct Cursor {
    tokens: Vec<Token>,
    at: usize,
}

impl Cursor {
    pub(super) fn new(tokens: Vec<Token>) -> Self {
        Self { tokens: without_hyphens(tokens), at: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// Number of tokens before the position.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Runs a pattern, and returns to the position before it if it does not match.
    pub(super) fn attempt<T>(&mut self, pattern: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let start = self.at;
        let found = pattern(self);
        if found.is_none() {
            self.at = start;
        }
        found
    }

    /// Returns whether a pattern matches here, without moving.
    pub(super) fn looks_at<T>(&mut self, pattern: impl FnOnce(&mut Self) -> Option<T>) -> bool {
        let start = self.at;
        let found = pattern(self).is_some();
        self.at = start;
        found
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    /// Text of the token before the position.
    pub(super) fn previous(&self) -> Option<&str> {
        Some(&self.tokens.get(self.at.checked_sub(1)?)?.text)
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += usize::from(token.is_some());
        token
    }

    /// Returns whether the token here follows the one before it without a blank.
    pub(super) fn is_glued(&self) -> bool {
        self.peek().is_some_and(|token| token.is_glued)
    }

    /// Matches one word, of any kind of token.
    pub(super) fn word(&mut self, text: &str) -> Option<()> {
        (self.peek()?.text == text).then(|| self.at += 1)
    }

    /// Matches one of several words.
    pub(super) fn any(&mut self, texts: &[&str]) -> Option<()> {
        texts.contains(&self.peek()?.text.as_str()).then(|| self.at += 1)
    }

    /// Matches words in a row.
    pub(super) fn words(&mut self, texts: &[&str]) -> Option<()> {
        self.attempt(|cursor| texts.iter().try_for_each(|text| cursor.word(text)))
    }

    /// Matches one of several rows of words; the first that matches wins.
    pub(super) fn any_words(&mut self, rows: &[&[&str]]) -> Option<()> {
        rows.iter().find_map(|row| self.words(row))
    }

    pub(super) fn number(&mut self) -> Option<Number> {
        let Kind::Number(number) = self.peek()?.kind else { return None };
        self.at += 1;
        Some(number)
    }

    /// Matches a number that is not an ordinal.
    pub(super) fn cardinal(&mut self) -> Option<Number> {
        self.attempt(|cursor| cursor.number().filter(|number| !number.is_ordinal))
    }

    pub(super) fn ordinal(&mut self) -> Option<u32> {
        let number = self.attempt(|cursor| cursor.number().filter(|number| number.is_ordinal))?;
        u32::try_from(number.value).ok()
    }

    /// Matches a number without a blank before it.
    pub(super) fn glued_number(&mut self) -> Option<Number> {
        if self.is_glued() { self.cardinal() } else { None }
    }

    /// Matches a sign without a blank before it.
    pub(super) fn glued_sign(&mut self, sign: char) -> Option<()> {
        if self.is_glued() { self.sign(sign) } else { None }
    }

    pub(super) fn sign(&mut self, sign: char) -> Option<()> {
        (self.peek()?.kind == Kind::Sign(sign)).then(|| self.at += 1)
    }

    pub(super) fn weekday(&mut self) -> Option<Weekday> {
        let token = self.peek().filter(|token| token.kind == Kind::Word)?;
        let day = words::weekday(&token.text)?;
        let is_short = token.text.len() <= 5;
        self.at += 1;
        self.abbreviation_dot(is_short);
        Some(day)
    }

    pub(super) fn month(&mut self) -> Option<u32> {
        let token = self.peek().filter(|token| token.kind == Kind::Word)?;
        let month = words::month(&token.text)?;
        let is_short = token.text.len() <= 4;
        self.at += 1;
        self.abbreviation_dot(is_short);
        Some(month)
    }

    fn abbreviation_dot(&mut self, is_short: bool) {
        if is_short && self.is_glued() {
            let _ = self.sign('.');
        }
    }

    /// Skips a comma, if there is one.
    pub(super) fn comma(&mut self) {
        let _ = self.sign(',');
    }

    /// Skips a word, if it is there.
    pub(super) fn skip(&mut self, text: &str) {
        let _ = self.word(text);
    }
}

/// Drops hyphens between words: `day-after-tomorrow`.
fn without_hyphens(tokens: Vec<Token>) -> Vec<Token> {
    let is_word = |token: Option<&Token>| token.is_some_and(|token| token.kind == Kind::Word);
    let is_hyphen = |nth: usize| {
        let is_between = nth > 0 && is_word(tokens.get(nth - 1)) && is_word(tokens.get(nth + 1));
        tokens[nth].kind == Kind::Sign('-')
            && is_between
            && tokens[nth].is_glued
            && tokens[nth + 1].is_glued
    };
    let kept = (0..tokens.len()).filter(|nth| !is_hyphen(*nth)).map(|nth| tokens[nth].clone());
    kept.collect()
}
