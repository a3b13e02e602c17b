//! The corpus of spoken dates (`tests/fixtures/dates/PROVENANCE.md`).

use chrono::DateTime;

use super::{Candidate, DateContext, OpeningHours, Outcome, read_arguments, read_phrase};

const CORPUS: &str = include_str!("../../../tests/fixtures/dates/spoken-dates.tsv");
const ROWS: usize = 145;

struct Row<'a> {
    id: &'a str,
    phrase: &'a str,
    reference: &'a str,
    zone: &'a str,
    country: Option<&'a str>,
    hours: Option<OpeningHours>,
    verdict: &'a str,
    date: &'a str,
    time: &'a str,
    instant: &'a str,
    reason: &'a str,
    alternatives: Vec<&'a str>,
}

impl<'a> Row<'a> {
    fn read(line: &'a str) -> Self {
        let fields: Vec<&str> = line.split('\t').collect();
        let [
            id,
            _,
            phrase,
            reference,
            zone,
            country,
            hours,
            verdict,
            date,
            time,
            instant,
            reason,
            alternatives,
            _,
        ] = fields[..]
        else {
            panic!("{line}")
        };
        let present = |field: &'a str| Some(field).filter(|field| *field != "-");
        Self {
            id,
            phrase,
            reference,
            zone,
            country: present(country),
            hours: present(hours).map(|hours| OpeningHours::parse_daily(hours).expect("hours")),
            verdict,
            date,
            time,
            instant,
            reason,
            alternatives: alternatives.split(';').filter(|text| !text.is_empty()).collect(),
        }
    }

    fn outcome(&self) -> Outcome {
        let context = DateContext {
            reference: DateTime::parse_from_rfc3339(self.reference).expect("a time").to_utc(),
            zone: self.zone.parse().expect("a zone"),
            country: self.country,
            hours: self.hours.as_ref(),
        };
        match self.phrase.strip_prefix("date=").and_then(|rest| rest.split_once("|time=")) {
            Some((date, time)) => read_arguments(date, time, &context),
            None => read_phrase(self.phrase, &context),
        }
    }

    fn is_right(&self, outcome: &Outcome) -> bool {
        match (self.verdict, outcome) {
            ("book" | "either", Outcome::Known(known)) => {
                let local = known.starts_at.naive_local();
                known.starts_at.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string() == self.instant
                    && local.format("%Y-%m-%d").to_string() == self.date
                    && local.format("%H:%M").to_string() == self.time
            }
            ("either", _) => true,
            ("ask-missing", Outcome::Missing(missing)) => {
                let parts: Vec<_> = missing.parts.iter().map(|part| part.as_str()).collect();
                let date = missing.date.map(|date| date.to_string()).unwrap_or_default();
                let time = missing.time.map(|time| time.format("%H:%M").to_string());
                parts.join(",") == self.reason
                    && date == self.date
                    && time.unwrap_or_default() == self.time
            }
            ("ask-which", Outcome::Ambiguous(ambiguous)) => {
                ambiguous.question.as_str() == self.reason
                    && self.are_offered(&ambiguous.candidates)
            }
            ("refuse", Outcome::Refused(refused)) => {
                refused.reason.as_str() == self.reason && self.are_offered(&refused.candidates)
            }
            _ => false,
        }
    }

    /// Whether exactly the alternatives of the row are offered.
    fn are_offered(&self, candidates: &[Candidate]) -> bool {
        let texts: Vec<String> = candidates
            .iter()
            .map(|candidate| match candidate {
                Candidate::At(instant) => {
                    instant.naive_local().format("%Y-%m-%dT%H:%M").to_string()
                }
                Candidate::Date(date) => date.to_string(),
                Candidate::Time(time) => time.format("%H:%M").to_string(),
            })
            .collect();
        let is_offered = |alternative: &str| texts.iter().any(|text| text.contains(alternative));
        texts.len() == self.alternatives.len()
            && self.alternatives.iter().all(|text| is_offered(text))
    }
}

#[test]
fn every_row_of_the_corpus_has_its_outcome() {
    let rows: Vec<Row<'_>> = CORPUS.lines().skip(1).map(Row::read).collect();
    assert_eq!(rows.len(), ROWS);
    let wrong: Vec<String> = rows
        .iter()
        .map(|row| (row, row.outcome()))
        .filter(|(row, outcome)| !row.is_right(outcome))
        .map(|(row, outcome)| format!("{} {:?}: {} {outcome:?}", row.id, row.phrase, row.verdict))
        .collect();
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}
