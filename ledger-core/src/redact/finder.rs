//! What is found in a conversation: ranges of tokens with a class, none of which overlap.

use super::token::Tokens;
use super::{Class, Span};

/// A range of tokens.
struct Hit {
    first: usize,
    last: usize,
    class: Class,
}

/// The tokens of a conversation and the hits so far.
pub(super) struct Finder<'t> {
    pub(super) tokens: Tokens<'t>,
    hits: Vec<Hit>,
    /// Whether a token is in a hit.
    taken: Vec<bool>,
}

impl<'t> Finder<'t> {
    pub(super) fn new(tokens: Tokens<'t>) -> Self {
        let taken = vec![false; tokens.len()];
        Self { tokens, hits: Vec::new(), taken }
    }

    /// Adds a range, unless a part of it was found before. Returns whether it was added.
    pub(super) fn add(&mut self, first: usize, last: usize, class: Class) -> bool {
        let range = &mut self.taken[first..=last];
        if range.contains(&true) {
            return false;
        }
        range.fill(true);
        self.hits.push(Hit { first, last, class });
        true
    }

    pub(super) fn is_taken(&self, at: usize) -> bool {
        self.taken.get(at).copied().unwrap_or_default()
    }

    fn is_same_name(before: &Hit, hit: &Hit) -> bool {
        let are_names = before.class == Class::Name && hit.class == Class::Name;
        are_names && before.last + 1 == hit.first
    }

    /// Returns the spans in the order of the text. A range over several segments, or over the name
    /// of a speaker, becomes several spans.
    pub(super) fn spans(mut self) -> Vec<Span> {
        self.hits.sort_unstable_by_key(|hit| hit.first);
        let mut spans: Vec<Span> = Vec::with_capacity(self.hits.len());
        for (nth, hit) in self.hits.iter().enumerate() {
            // First name and last name are one span.
            let mut is_open = nth > 0 && Self::is_same_name(&self.hits[nth - 1], hit);
            for at in hit.first..=hit.last {
                let token = self.tokens.all()[at];
                let is_label = self.tokens.is_label(at) || (at > 0 && self.tokens.is_label(at - 1));
                if is_label {
                    is_open = false;
                    continue;
                }
                let (segment, end) = (token.segment as usize, token.end as usize);
                match spans.last_mut().filter(|span| is_open && span.segment == segment) {
                    Some(span) => span.end = end,
                    None => {
                        let start = token.start as usize;
                        spans.push(Span { segment, start, end, class: hit.class });
                        is_open = true;
                    }
                }
            }
        }
        spans
    }
}
