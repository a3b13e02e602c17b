//! Figures of the corpus (`tests/fixtures/redaction/PROVENANCE.md`).

use std::collections::BTreeMap;

use super::samples::{Form, Sample, Samples, Template, development, held_out};
use super::*;

/// Values of each template and form.
const FILLS: usize = 12;

#[derive(Default)]
struct Figures {
    /// Found and all values by class and form.
    recall: BTreeMap<(Class, Form), (usize, usize)>,
    /// Flagged and all utterances without personal data, by form.
    negatives: BTreeMap<Form, (usize, usize)>,
    /// What was missed or flagged, for the development set.
    faults: Vec<String>,
}

impl Figures {
    fn of(templates: &[Template], seed: u64) -> Self {
        let mut figures = Self::default();
        let mut samples = Samples::new(seed);
        for template in templates {
            for form in [Form::Written, Form::Spoken] {
                for _ in 0..FILLS {
                    figures.add(&samples.fill(template, form), template, form);
                }
            }
        }
        figures
    }

    fn add(&mut self, sample: &Sample, template: &Template, form: Form) {
        // A track is data of a reader: there is no spoken form.
        if template.class == "track" && form == Form::Spoken {
            return;
        }
        let names = KnownNames::of(sample.names.iter().map(String::as_str));
        let spans = find(&sample.texts(), &names);
        if template.class == "-" {
            let (flagged, all) = self.negatives.entry(form).or_default();
            *all += 1;
            if !spans.is_empty() {
                *flagged += 1;
                self.faults.push(format!("flagged {:?}: {}", spans[0].class, sample.joined()));
            }
            return;
        }
        for entity in &sample.entities {
            let (found, all) = self.recall.entry((entity.class, form)).or_default();
            *all += 1;
            let is_covered = entity.parts.iter().all(|(segment, start, end)| {
                sample.segments[*segment][*start..*end].char_indices().all(|(at, c)| {
                    let at = start + at;
                    let is_in = |span: &&Span| {
                        span.segment == *segment && span.start <= at && at < span.end
                    };
                    !c.is_alphanumeric()
                        || spans
                            .iter()
                            .find(is_in)
                            .is_some_and(|span| is_same(span.class, entity.class))
                })
            });
            if is_covered {
                *found += 1;
            } else {
                self.faults.push(format!(
                    "missed {:?} {form:?}: {}",
                    entity.class,
                    sample.segments.join(" // ")
                ));
            }
        }
    }

    fn ratio(&self, form: Form) -> f64 {
        let of_form =
            self.recall.iter().filter(|((_, it), _)| *it == form).map(|(_, counts)| *counts);
        let (found, all) = of_form.fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
        ratio(found, all)
    }

    fn flagged(&self) -> f64 {
        let (flagged, all) =
            self.negatives.values().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        ratio(flagged, all)
    }

    fn print(&self, what: &str) {
        println!("{what}");
        for ((class, form), (found, all)) in &self.recall {
            println!(
                "  {:<14} {form:?}: {found} of {all} ({:.2} %)",
                class.as_str(),
                100.0 * ratio(*found, *all)
            );
        }
        println!(
            "  written {:.2} %, spoken {:.2} %",
            100.0 * self.ratio(Form::Written),
            100.0 * self.ratio(Form::Spoken)
        );
        for (form, (flagged, all)) in &self.negatives {
            println!("  without personal data, {form:?}: {flagged} of {all} flagged");
        }
    }

    fn check(&self, what: &str) {
        self.print(what);
        assert!(self.ratio(Form::Written) >= 0.99, "{what}: written");
        assert!(self.ratio(Form::Spoken) >= 0.95, "{what}: spoken");
        assert!(self.flagged() <= 0.01, "{what}: flagged");
    }
}

/// A PIN and a verification code are cut alike.
fn is_same(found: Class, expected: Class) -> bool {
    let is_secret = |class: Class| matches!(class, Class::CardCode | Class::Pin);
    found == expected || (is_secret(found) && is_secret(expected))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a corpus")]
fn ratio(part: usize, all: usize) -> f64 {
    part as f64 / all.max(1) as f64
}

#[test]
fn development_templates_keep_their_figures() {
    let figures = Figures::of(&development(), 1);
    if std::env::var_os("REDACTION_FAULTS").is_some() {
        figures.faults.iter().for_each(|fault| println!("{fault}"));
    }
    figures.check("development");
}

#[test]
fn held_out_templates_keep_their_figures() {
    Figures::of(&held_out(), 2).check("held out");
}

#[test]
fn the_corpus_has_the_size_that_the_figures_claim() {
    let all: Vec<Template> = development().into_iter().chain(held_out()).collect();
    let negatives = all.iter().filter(|template| template.class == "-").count();
    assert!(all.len() >= 400 && negatives * 10 >= all.len() * 3, "{} {negatives}", all.len());
    let development: Vec<&str> = development().iter().map(|template| template.text).collect();
    assert!(held_out().iter().all(|template| !development.contains(&template.text)));
}
