//! `dates explain`: the program reads the corpus of spoken dates, and misuse is a usage error.

use serde_json::{Value, json};

use crate::docs::page;
use crate::test_dir::TestDir;

const CORPUS: &str = "tests/fixtures/dates/spoken-dates.tsv";

/// Runs `dates explain` with the columns of a row.
fn explained(test_dir: &TestDir, fields: &[&str]) -> Value {
    let [_, _, phrase, reference, zone, country, hours, ..] = fields else { panic!("{fields:?}") };
    let mut args = vec!["dates", "explain", "--at", reference, "--timezone", zone];
    for (flag, value) in [("--country", country), ("--hours", hours)] {
        if *value != "-" {
            args.extend([flag, value]);
        }
    }
    match phrase.strip_prefix("date=").and_then(|rest| rest.split_once("|time=")) {
        Some((date, time)) => args.extend(["--date", date, "--time", time]),
        None => args.push(phrase),
    }
    test_dir.json(&args)
}

#[test]
fn the_program_explains_every_row_of_the_corpus() {
    let test_dir = TestDir::new();
    let corpus = page(CORPUS);
    let mut rows = 0;
    for line in corpus.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let explained = explained(&test_dir, &fields);
        let (verdict, date, time, instant, reason) =
            (fields[7], fields[8], fields[9], fields[10], fields[11]);
        let outcome = explained["outcome"].as_str().expect("an outcome");
        let expected = match verdict {
            "book" => "known",
            "ask-missing" => "missing",
            "ask-which" => "ambiguous",
            "refuse" => "refused",
            _ if outcome == "known" => "known",
            _ => "refused",
        };
        assert_eq!(outcome, expected, "{line}: {explained}");
        if outcome == "known" {
            assert_eq!(explained["starts_at"], instant, "{line}");
            let local = explained["local"].as_str().expect("a local time");
            assert!(local.starts_with(&format!("{date}T{time}:00")), "{line}: {local}");
            assert!(explained["readback"].as_str().is_some_and(|text| text.len() > 15), "{line}");
        } else {
            assert_eq!(explained["starts_at"], Value::Null, "{line}: only known times start");
            assert!(verdict == "either" || explained["reason"] == reason, "{line}: {explained}");
        }
        rows += 1;
    }
    assert_eq!(rows, 145);
    assert!(!test_dir.data().exists(), "no database was started");
}

#[test]
fn an_explanation_has_the_same_fields_for_every_outcome() {
    let test_dir = TestDir::new();
    let at =
        ["--at", "2026-11-30T10:00:00-05:00", "--timezone", "America/New_York", "--country", "us"];
    let explain = |args: &[&str]| test_dir.json(&[&["dates", "explain"], args, &at].concat());
    assert_eq!(
        explain(&["tomorrow from 2 to 3:30 pm"]),
        json!({
            "outcome": "known", "starts_at": "2026-12-01T19:00:00Z", "local": "2026-12-01T14:00:00-05:00",
            "missing": [], "candidates": [], "reason": null, "date": "2026-12-01", "time": "14:00",
            "length_minutes": 90, "readback": "Tuesday, December 1 at 2 pm",
        })
    );
    assert_eq!(
        explain(&["--date", "tomorrow"]),
        json!({
            "outcome": "missing", "starts_at": null, "local": null, "missing": ["time"], "candidates": [],
            "reason": "time", "date": "2026-12-01", "time": null, "length_minutes": null, "readback": null,
        })
    );
    assert_eq!(
        explain(&["next Tuesday at 10 am"])["candidates"],
        json!(["2026-12-01T10:00:00-05:00", "2026-12-08T10:00:00-05:00"])
    );
    assert_eq!(explain(&["-3 pm"])["reason"], "impossible");
    let shown = test_dir.run(&[&["dates", "explain", "tomorrow at 2 pm"], &at[..]].concat());
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("outcome: known\n"), "{}", shown.stdout);
}

#[test]
fn a_context_that_is_none_is_a_usage_error() {
    let test_dir = TestDir::new();
    let right = ["--at", "2026-11-30T10:00:00Z", "--timezone", "Europe/London"];
    let wrong: &[(&[&str], &str)] = &[
        (&["tomorrow", "--at", "today", "--timezone", "UTC"], "--at"),
        (&["tomorrow", "--at", "2026-11-30T10:00:00", "--timezone", "UTC"], "--at"),
        (&["tomorrow", "--timezone", "UTC"], "--at"),
        (&["tomorrow", "--at", right[1], "--timezone", "Mars/Base"], "Mars/Base"),
        (&[&["tomorrow", "--country", "UK"], &right[..]].concat(), "use GB"),
        (&[&["tomorrow", "--country", "Germany"], &right[..]].concat(), "--country"),
        (&[&["tomorrow", "--hours", "nine to five"], &right[..]].concat(), "--hours"),
        (&[&["tomorrow", "--date", "today"], &right[..]].concat(), "--date"),
        (&right, "PHRASE"),
    ];
    for (args, said) in wrong {
        let ran = test_dir.run(&[&["dates", "explain"], *args].concat());
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
}
