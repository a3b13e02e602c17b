//! Removal of card verification codes, PINs and magnetic stripe data from a message (PCI DSS 3.3.1:
//! they may not be stored, not even encrypted).
//!
//! Texts at the same place of a list are one conversation, so a question and its answer are read
//! together, and so are the words of a transcript word by word. The fields of an object are read
//! with their names. What is found in one place is found again in the others.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::places::{is_track, place_of, words_of};
use super::token::Tokens;
use super::words::{CARD, CODE, CVV, PIN, SECURITY};
use super::{Class, Options, find_with};
use crate::event::{RemovedData, RemovedFrom};
use crate::json::Json;

/// Maximum number of nested levels of JSON inside a string.
const MAX_NESTING: usize = 4;
/// Most codes of a message that are looked for in its other texts.
const MAX_CODES: usize = 64;
/// Least characters of a field that is magnetic stripe data by its name.
const MIN_TRACK: usize = 10;

/// Removes the data from a message. Returns what was removed, and what an earlier run removed, by
/// class and part of the message.
pub fn minimise(tree: &mut Json<'_>) -> Vec<RemovedData> {
    let mut known = Known::default();
    let mut level = Level::of(tree);
    let mut is_found = known.learn(tree, &level, 0);
    let mut marks = std::mem::take(&mut level.marks);
    if is_found || known.has_card {
        // A second look: a card or a code of one place is known in the others now.
        is_found |= known.learn(tree, &level, 0);
    }
    drop(level);
    if is_found {
        apply(tree, &known, 0, RemovedFrom::Other, &mut marks);
    }
    let mut removed: Vec<RemovedData> = Vec::new();
    for (class, place) in marks {
        let Some(class) = class.removed() else { continue };
        match removed.iter_mut().find(|it| it.class == class && it.from == place) {
            Some(known) => known.count = known.count.saturating_add(1),
            None => removed.push(RemovedData { class, from: place, count: 1 }),
        }
    }
    removed.sort_unstable_by_key(|it| (it.class, it.from));
    removed
}

/// What is known of the whole message.
#[derive(Default)]
struct Known {
    has_card: bool,
    codes: Vec<(Class, Vec<u8>)>,
}

/// A text that is read as a segment: the value of a leaf, or the words of its name.
struct Leaf<'l> {
    /// Index of the leaf in its level; `None` for the name of a field.
    nth: Option<usize>,
    text: Cow<'l, str>,
}

/// One level of JSON: the message, or the JSON inside one of its strings.
struct Level<'l> {
    /// Texts by their path with all indices of lists left out.
    columns: FxHashMap<u64, Vec<Leaf<'l>>>,
    /// Fields with a name that announces a code, as a name and a value.
    fields: Vec<[Leaf<'l>; 2]>,
    /// Fields that are magnetic stripe data by their name.
    tracks: Vec<(usize, usize)>,
    /// Marks of an earlier removal.
    marks: Vec<(Class, RemovedFrom)>,
    count: usize,
}

/// A part of a leaf to remove.
type Cut = (usize, usize, Class);

impl<'l> Level<'l> {
    fn of(tree: &'l Json<'_>) -> Self {
        let mut level = Self {
            columns: FxHashMap::default(),
            fields: Vec::new(),
            tracks: Vec::new(),
            marks: Vec::new(),
            count: 0,
        };
        level.value(tree, 0, None, false, RemovedFrom::Other);
        level
    }

    fn value(
        &mut self,
        value: &'l Json<'_>,
        path: u64,
        key: Option<&str>,
        near_card: bool,
        place: RemovedFrom,
    ) {
        match value {
            Json::String(text) => self.text(text, path, key, near_card, place, true),
            Json::Number(text) => self.text(text, path, key, near_card, place, false),
            Json::Array(items) => {
                for item in items {
                    self.value(item, step(path, "*"), key, near_card, place);
                }
            }
            Json::Object(fields) => {
                let near_card = fields.iter().any(|(key, _)| Interest::of(key).card);
                for (key, value) in fields {
                    self.value(value, step(path, key), Some(key), near_card, place_of(key, place));
                }
            }
            Json::Null | Json::Bool(_) => {}
        }
    }

    fn text(
        &mut self,
        text: &'l str,
        path: u64,
        key: Option<&str>,
        near_card: bool,
        place: RemovedFrom,
        is_string: bool,
    ) {
        let nth = self.count;
        self.count += 1;
        if text.as_bytes().contains(&b'[') {
            for class in Class::SECRETS {
                let marks = text.matches(class.placeholder()).count();
                self.marks.extend(std::iter::repeat_n((class, place), marks));
            }
        }
        if let Some(key) = key {
            if is_track(key) && text.len() >= MIN_TRACK {
                self.tracks.push((nth, text.len()));
                return;
            }
            if let Some(name) = Interest::of(key).name(key, near_card) {
                let value = Leaf { nth: Some(nth), text: Cow::Borrowed(text) };
                self.fields.push([Leaf { nth: None, text: Cow::Owned(name) }, value]);
            }
        }
        if is_string {
            self.columns
                .entry(path)
                .or_default()
                .push(Leaf { nth: Some(nth), text: Cow::Borrowed(text) });
        }
    }

    /// Returns the parts of each leaf to remove, in order and without overlaps.
    fn cuts(&self, known: &mut Known) -> FxHashMap<usize, Vec<Cut>> {
        let mut cuts: FxHashMap<usize, Vec<Cut>> = FxHashMap::default();
        for (nth, len) in &self.tracks {
            cuts.entry(*nth).or_default().push((0, *len, Class::Track));
        }
        let mut codes = Vec::new();
        let mut has_card = known.has_card;
        for leaves in self
            .columns
            .values()
            .map(Vec::as_slice)
            .chain(self.fields.iter().map(<[_; 2]>::as_slice))
        {
            let segments: Vec<&str> = leaves.iter().map(|leaf| leaf.text.as_ref()).collect();
            let options = Options {
                secrets_only: true,
                is_card_call: known.has_card,
                codes: &known.codes,
                ..Options::default()
            };
            let found = find_with(&segments, &options);
            has_card |= found.has_card;
            codes.extend(found.codes);
            for span in found.spans.iter().filter(|span| Class::SECRETS.contains(&span.class)) {
                if let Some(nth) = leaves[span.segment].nth {
                    cuts.entry(nth).or_default().push((span.start, span.end, span.class));
                }
            }
        }
        known.has_card = has_card;
        known.codes.extend(codes);
        known.codes.sort_unstable();
        known.codes.dedup();
        known.codes.truncate(MAX_CODES);
        for list in cuts.values_mut() {
            list.sort_unstable();
            list.dedup_by(|later, kept| later.0 < kept.1);
        }
        cuts
    }
}

impl Known {
    /// Reads a level and the JSON inside its strings. Returns whether anything is to be removed.
    fn learn(&mut self, tree: &Json<'_>, level: &Level<'_>, nesting: usize) -> bool {
        let mut is_found = !level.cuts(self).is_empty();
        each_nested(tree, nesting, &mut |inner| {
            is_found |= self.learn(inner, &Level::of(inner), nesting + 1);
        });
        is_found
    }
}

/// Calls a function with the JSON inside each string.
fn each_nested(tree: &Json<'_>, nesting: usize, visit: &mut impl FnMut(&Json<'_>)) {
    match tree {
        Json::String(text) => {
            if let Some(inner) = nested(text, nesting) {
                visit(&inner);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| each_nested(item, nesting, visit)),
        Json::Object(fields) => {
            for (_, value) in fields {
                each_nested(value, nesting, visit);
            }
        }
        _ => {}
    }
}

fn nested(text: &str, nesting: usize) -> Option<Json<'_>> {
    let may_be_json = nesting < MAX_NESTING && text.trim_start().starts_with(['{', '[']);
    Some(text).filter(|_| may_be_json).and_then(|text| Json::parse(text.as_bytes()).ok())
}

/// Removes the cuts of a level, and those of the JSON inside its strings. Returns whether anything
/// was removed.
fn apply(
    tree: &mut Json<'_>,
    known: &Known,
    nesting: usize,
    place: RemovedFrom,
    marks: &mut Vec<(Class, RemovedFrom)>,
) -> bool {
    let mut known = Known { has_card: known.has_card, codes: known.codes.clone() };
    let cuts = Level::of(tree).cuts(&mut known);
    let mut cutter = Cutter { cuts, known: &known, nesting, marks, count: 0, is_cut: false };
    cutter.value(tree, place);
    cutter.is_cut
}

struct Cutter<'c> {
    cuts: FxHashMap<usize, Vec<Cut>>,
    known: &'c Known,
    nesting: usize,
    marks: &'c mut Vec<(Class, RemovedFrom)>,
    count: usize,
    is_cut: bool,
}

impl Cutter<'_> {
    fn value(&mut self, value: &mut Json<'_>, place: RemovedFrom) {
        match value {
            Json::String(text) => {
                if let Some(cut) = self.text(text, place) {
                    *text = Cow::Owned(cut);
                }
            }
            Json::Number(text) => {
                if let Some(cut) = self.text(text, place) {
                    *value = Json::String(Cow::Owned(cut));
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.value(item, place)),
            Json::Object(fields) => {
                for (key, value) in fields {
                    self.value(value, place_of(key, place));
                }
            }
            Json::Null | Json::Bool(_) => {}
        }
    }

    fn text(&mut self, text: &str, place: RemovedFrom) -> Option<String> {
        let nth = self.count;
        self.count += 1;
        if let Some(mut inner) = nested(text, self.nesting) {
            let is_cut = apply(&mut inner, self.known, self.nesting + 1, place, self.marks);
            self.is_cut |= is_cut;
            return is_cut.then(|| String::from_utf8_lossy(&inner.to_compact()).into_owned());
        }
        let cuts = self.cuts.get(&nth)?;
        let mut out = String::with_capacity(text.len());
        let mut kept = 0;
        for (start, end, class) in cuts {
            out.push_str(&text[kept..*start]);
            out.push_str(class.placeholder());
            kept = *end;
            self.marks.push((*class, place));
        }
        out.push_str(&text[kept..]);
        self.is_cut = true;
        Some(out)
    }
}

/// What the name of a field announces.
struct Interest {
    card: bool,
    code: bool,
    bare_code: bool,
}

impl Interest {
    fn of(key: &str) -> Self {
        const NONE: Interest = Interest { card: false, code: false, bare_code: false };
        let may_be = key.len() <= 64 && {
            let has = |part: &str| contains_folded(key, part);
            has("c") && (has("cv") || has("card") || has("code") || has("csc") || has("cid"))
                || has("pin")
        };
        if !may_be {
            return NONE;
        }
        let words = words_of(key);
        let segments = [words.as_str()];
        let tokens = Tokens::read(&segments);
        let has = |flags: u64| tokens.any(0..tokens.len(), flags);
        Self {
            card: has(CARD),
            code: has(CVV | PIN)
                || (has(SECURITY) && has(CODE))
                || contains_folded(key, "securitycode"),
            bare_code: has(CODE),
        }
    }

    /// Returns the words under which the value is read; `None` if no code is announced.
    fn name(&self, key: &str, near_card: bool) -> Option<String> {
        let words = words_of(key);
        if self.code {
            let is_security = contains_folded(key, "security");
            return Some(if is_security { "card security code".to_owned() } else { words });
        }
        (self.bare_code && near_card).then(|| "card code".to_owned())
    }
}

fn contains_folded(text: &str, part: &str) -> bool {
    text.len() >= part.len()
        && text
            .as_bytes()
            .windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

fn step(path: u64, key: &str) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = rustc_hash::FxHasher::default();
    path.hash(&mut hasher);
    key.hash(&mut hasher);
    hasher.finish()
}
