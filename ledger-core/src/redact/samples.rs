//! Values and utterances for tests, from templates and a seed.

mod values;

use super::Class;
use values::Values;

const DEVELOPMENT: &str = include_str!("../../../tests/fixtures/redaction/development.txt");
const HELD_OUT: &str = include_str!("../../../tests/fixtures/redaction/held-out.txt");
const TERMS: &str = include_str!("../../../tests/fixtures/redaction/terms.txt");

/// How a value is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Form {
    Written,
    Spoken,
}

/// A template: its class, or `-` for one without personal data.
#[derive(Clone)]
pub(super) struct Template {
    pub(super) class: &'static str,
    pub(super) text: &'static str,
}

pub(super) fn development() -> Vec<Template> {
    templates(DEVELOPMENT)
}

pub(super) fn held_out() -> Vec<Template> {
    templates(HELD_OUT)
}

fn templates(file: &'static str) -> Vec<Template> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let template = |line: &'static str| {
        let (class, text) = line.split_once(": ").expect("a class and a text");
        Template { class, text }
    };
    lines.map(template).collect()
}

/// A value in an utterance.
pub(super) struct Entity {
    pub(super) class: Class,
    /// Segment and range of each part.
    pub(super) parts: Vec<(usize, usize, usize)>,
}

/// An utterance, or several turns.
pub(super) struct Sample {
    pub(super) segments: Vec<String>,
    pub(super) entities: Vec<Entity>,
    pub(super) names: Vec<String>,
}

impl Sample {
    pub(super) fn joined(&self) -> String {
        self.segments.join(" ")
    }

    pub(super) fn texts(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }
}

/// A generator of samples.
pub(super) struct Samples {
    values: Values,
    all: Vec<Template>,
}

impl Samples {
    pub(super) fn new(seed: u64) -> Self {
        Self { values: Values::new(seed, TERMS), all: development() }
    }

    /// Returns a sample of any development template.
    pub(super) fn any(&mut self, form: Form) -> Sample {
        let nth = self.values.below(self.all.len());
        let template = self.all[nth].clone();
        self.fill(&template, form)
    }

    /// Fills the slots of a template.
    pub(super) fn fill(&mut self, template: &Template, form: Form) -> Sample {
        let mut sample = Sample { segments: Vec::new(), entities: Vec::new(), names: Vec::new() };
        let mut made: Vec<(String, String)> = Vec::new();
        for (segment, turn) in template.text.split(" // ").enumerate() {
            let mut text = String::new();
            let mut rest = turn;
            while let Some(at) = rest.find('{') {
                text.push_str(&rest[..at]);
                let end = rest.find('}').expect("a slot ends");
                self.slot(&rest[at + 1..end], form, segment, &mut text, &mut sample, &mut made);
                rest = &rest[end + 1..];
            }
            text.push_str(rest);
            sample.segments.push(text);
        }
        sample
    }

    fn slot(
        &mut self,
        slot: &str,
        form: Form,
        segment: usize,
        text: &mut String,
        sample: &mut Sample,
        made: &mut Vec<(String, String)>,
    ) {
        let (name, part) =
            slot.split_once('.').map_or((slot, None), |(name, part)| (name, Some(part)));
        let class = class_of(name);
        let known = made.iter().find(|(it, _)| it == name && class.is_some());
        let value = match known {
            Some((_, value)) => value.clone(),
            None => {
                let value = self.values.make(name, form, &mut sample.names);
                made.push((name.to_owned(), value.clone()));
                value
            }
        };
        let value = part.map_or(value.clone(), |part| part_of(&value, part));
        let start = text.len();
        text.push_str(&value);
        let Some(class) = class else { return };
        let place = (segment, start, text.len());
        let first = part.is_none_or(|part| part.starts_with('1'));
        match sample.entities.last_mut().filter(|_| !first) {
            Some(entity) => entity.parts.push(place),
            None => sample.entities.push(Entity { class, parts: vec![place] }),
        }
    }
}

/// Returns the class of a slot; `None` for one of other numbers.
fn class_of(slot: &str) -> Option<Class> {
    Some(match slot {
        "card" => Class::Card,
        "code" | "code4" => Class::CardCode,
        "pin" => Class::Pin,
        "track" => Class::Track,
        "ssn" | "itin" => Class::Ssn,
        "phone" => Class::Phone,
        "email" => Class::Email,
        "iban" => Class::Iban,
        "dob" => Class::DateOfBirth,
        "nhs" | "npi" | "mbi" | "mrn" => Class::HealthId,
        "address" => Class::Address,
        "condition" => Class::Condition,
        "medication" => Class::Medication,
        "name" => Class::Name,
        _ => return None,
    })
}

/// Returns the part `2/3` of a value, split between words, or between digits if it is one word.
fn part_of(value: &str, part: &str) -> String {
    let (nth, count) = part.split_once('/').expect("a part of a number of parts");
    let (nth, count): (usize, usize) =
        (nth.parse().expect("a number"), count.parse().expect("a number"));
    let words: Vec<&str> = value.split([' ', '-']).filter(|word| !word.is_empty()).collect();
    let units: Vec<String> = if words.len() >= count {
        words.iter().map(|word| format!("{word} ")).collect()
    } else {
        value.chars().filter(char::is_ascii_alphanumeric).map(String::from).collect()
    };
    let mut from = units.len() * (nth - 1) / count;
    let mut to = units.len() * nth / count;
    // `double five` stays together, and so does `forty two`.
    let is_open = |at: usize| {
        at > 0 && ["double ", "triple "].contains(&units[at - 1].as_str())
            || (at > 0 && at < units.len() && units[at - 1].ends_with("ty "))
    };
    while from < units.len() && is_open(from) {
        from += 1;
    }
    while to < units.len() && is_open(to) {
        to += 1;
    }
    units[from.min(to)..to].concat().trim().trim_end_matches(',').to_owned()
}
