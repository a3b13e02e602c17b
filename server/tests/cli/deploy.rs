//! Deployment files use only settings, commands and paths that the program has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use server::config::Setting;

use crate::docs::page;

const FILES: [&str; 4] =
    ["Dockerfile", "compose.yaml", "deploy/call-ledger.service", "deploy/alerts.yaml"];

/// Returns each occurrence of `start` in a text with the following characters that `is_part`
/// accepts.
fn named<'a>(text: &'a str, start: &str, is_part: impl Fn(char) -> bool) -> BTreeSet<&'a str> {
    let found = text.match_indices(start).map(|(at, _)| {
        let rest = &text[at..];
        let end =
            rest[start.len()..].find(|c| !is_part(c)).map_or(rest.len(), |end| end + start.len());
        &rest[..end]
    });
    found.collect()
}

/// Returns the lines of a file that are no comments.
fn code(path: &str) -> String {
    let text = page(path);
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_variable_in_the_deployment_files_is_a_setting() {
    let mut seen = 0;
    for file in FILES {
        let text = page(file);
        for name in named(&text, "CALL_LEDGER_", |c| c.is_ascii_uppercase() || c == '_') {
            assert!(Setting::ALL.iter().any(|setting| setting.env == name), "{file}: {name}");
            seen += 1;
        }
    }
    assert!(seen >= 4, "only {seen} were found");
}

#[test]
fn every_command_in_the_deployment_files_exists() {
    let known = |name: &str| server::cli::command().find_subcommand(name).is_some();
    let unit = code("deploy/call-ledger.service");
    let started = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a command");
    let words = started.split_whitespace();
    server::cli::command().try_get_matches_from(words).expect("the unit's command is one of ours");
    for file in ["Dockerfile", "compose.yaml"] {
        let text = code(file);
        let probes = text.matches("call-ledger\", \"").count();
        assert!(probes >= 2, "{file}: each image is asked for its health");
        for (at, start) in text.match_indices("call-ledger\", \"") {
            let name = text[at + start.len()..].split('"').next().expect("a word");
            assert!(known(name), "{file}: {name}");
        }
    }
    let served = code("Dockerfile").matches("CMD [\"serve\"]").count();
    assert_eq!(served, 2, "both images serve");
}

#[test]
fn the_stop_timeout_covers_the_drain_and_the_end_of_postgresql() {
    let unit = code("deploy/call-ledger.service");
    let value = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name));
    let stop_timeout: u64 = value("TimeoutStopSec=").expect("a time").parse().expect("seconds");
    assert!(stop_timeout > 30 + 30 + 10, "drain, fast stop, immediate stop");
    assert_eq!(value("KillMode="), Some("mixed"), "PostgreSQL is ours to end");
    assert_eq!(value("Type="), Some("notify"), "see src/systemd.rs");
}

#[test]
fn every_alert_has_a_page_and_uses_documented_metrics() {
    let rules = code("deploy/alerts.yaml");
    let monitoring = page("docs/operations/monitoring.md");
    for metric in named(&rules, "ledger_", |c| c.is_ascii_lowercase() || c == '_') {
        assert!(monitoring.contains(&format!("| `{metric}` |")), "{metric}");
    }
    let pages: BTreeSet<&str> =
        named(&rules, "docs/operations/alerts/", |c| c.is_ascii_lowercase() || "-.".contains(c));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let written = fs::read_dir(root.join("docs/operations/alerts")).expect("a directory").flatten();
    let written: BTreeSet<String> = written
        .map(|entry| format!("docs/operations/alerts/{}", entry.file_name().to_string_lossy()))
        .collect();
    let pages: BTreeSet<String> = pages.into_iter().map(str::to_owned).collect();
    assert_eq!(pages, written);
}
