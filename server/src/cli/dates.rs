//! `dates explain`: what the voice tools understand of a spoken date. Needs no database.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use ledger_core::dates::{
    Candidate, DateContext, OpeningHours, Outcome, Part, read_arguments, read_phrase,
};
use ledger_core::phone::{country_meant, is_country};
use serde_json::{Value, json};

use super::exit::{ExitStatus, usage_error};
use super::output;
use crate::config::Output;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print what is understood of a phrase, and what would be asked back
    #[command(after_help = "Examples:
  call-ledger dates explain \"next Tuesday at half past three\" --at 2026-11-30T10:00:00-05:00 \\
      --timezone America/New_York --country US --hours 09:00-17:00
  call-ledger dates explain --date 2026-12-24 --time \"2:00 PM\" --at 2026-11-30T10:00:00Z \\
      --timezone Europe/London

Exit code 0 whatever the outcome is.")]
    Explain(Explain),
}

#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// Date and time as they were said
    #[arg(required_unless_present_any = ["date", "time"], conflicts_with_all = ["date", "time"], allow_hyphen_values = true)]
    phrase: Option<String>,
    /// Date, as an argument of a tool of its own
    #[arg(long, allow_hyphen_values = true)]
    date: Option<String>,
    /// Time of day, as an argument of a tool of its own
    #[arg(long, allow_hyphen_values = true)]
    time: Option<String>,
    /// Instant of the call, in RFC 3339
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    at: DateTime<Utc>,
    /// IANA time zone of the tenant
    #[arg(long)]
    timezone: String,
    /// Country of the tenant (ISO 3166-1 alpha-2), for the order of day and month
    #[arg(long)]
    country: Option<String>,
    /// Opening hours, such as 09:00-12:30,14:00-18:00; they decide between am and pm
    #[arg(long)]
    hours: Option<String>,
}

pub(super) fn run(form: Output, command: &Command) -> anyhow::Result<ExitStatus> {
    let Command::Explain(args) = command;
    let country = country(args.country.as_deref())?;
    let hours = hours(args.hours.as_deref())?;
    let context = DateContext {
        reference: args.at,
        zone: zone(&args.timezone)?,
        country: country.as_deref(),
        hours: hours.as_ref(),
    };
    let outcome = match &args.phrase {
        Some(phrase) => read_phrase(phrase, &context),
        None => {
            let text = |arg: &Option<String>| arg.clone().unwrap_or_default();
            read_arguments(&text(&args.date), &text(&args.time), &context)
        }
    };
    output::object(form, &explanation(&outcome, &context))?;
    Ok(ExitStatus::Success)
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text).map(|instant| instant.to_utc()).map_err(|_| {
        "use a date and time with its offset (such as 2026-11-30T10:00:00Z)".to_owned()
    })
}

fn zone(name: &str) -> anyhow::Result<Tz> {
    name.parse().or_else(|_| {
        usage_error(format!("--timezone: {name} is no IANA time zone (such as Europe/London)"))
    })
}

fn country(code: Option<&str>) -> anyhow::Result<Option<String>> {
    let Some(code) = code.map(str::to_ascii_uppercase) else { return Ok(None) };
    if is_country(&code) {
        return Ok(Some(code));
    }
    usage_error(country_meant(&code).map_or_else(
        || "--country: use an ISO 3166-1 alpha-2 code (such as GB)".to_owned(),
        |meant| format!("--country: {code} is no code of ISO 3166-1; use {meant}"),
    ))
}

fn hours(text: Option<&str>) -> anyhow::Result<Option<OpeningHours>> {
    let Some(text) = text else { return Ok(None) };
    match OpeningHours::parse_daily(text) {
        Some(hours) => Ok(Some(hours)),
        None => {
            usage_error("--hours: use intervals such as 09:00-17:00 or 09:00-12:30,14:00-18:00")
        }
    }
}

/// The outcome with the same fields for each of its kinds; what does not apply is null or empty.
fn explanation(outcome: &Outcome, context: &DateContext<'_>) -> Value {
    let mut explained = json!({
        "outcome": outcome.as_str(),
        "starts_at": null,
        "local": null,
        "missing": [],
        "candidates": [],
        "reason": null,
        "date": null,
        "time": null,
        "length_minutes": null,
        "readback": null,
    });
    let texts = |candidates: &[Candidate]| candidates.iter().map(candidate).collect::<Value>();
    match outcome {
        Outcome::Known(known) => {
            let local = known.starts_at;
            explained["starts_at"] =
                json!(local.to_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true));
            explained["local"] = json!(local.to_rfc3339_opts(SecondsFormat::AutoSi, false));
            explained["date"] = json!(local.date_naive());
            explained["time"] = json!(local.format("%H:%M").to_string());
            explained["length_minutes"] = json!(known.length_minutes);
            explained["readback"] = json!(known.readback(context));
        }
        Outcome::Missing(missing) => {
            let parts: Vec<&str> = missing.parts.iter().copied().map(Part::as_str).collect();
            explained["reason"] = json!(parts.join(","));
            explained["missing"] = json!(parts);
            explained["date"] = json!(missing.date);
            explained["time"] = json!(missing.time.map(|time| time.format("%H:%M").to_string()));
            explained["length_minutes"] = json!(missing.length_minutes);
        }
        Outcome::Ambiguous(ambiguous) => {
            explained["reason"] = json!(ambiguous.question.as_str());
            explained["candidates"] = texts(&ambiguous.candidates);
        }
        Outcome::Refused(refused) => {
            explained["reason"] = json!(refused.reason.as_str());
            explained["candidates"] = texts(&refused.candidates);
        }
    }
    explained
}

/// A start time with its offset, or the one part that is known.
fn candidate(candidate: &Candidate) -> Value {
    match candidate {
        Candidate::At(at) => json!(at.to_rfc3339_opts(SecondsFormat::AutoSi, false)),
        Candidate::Date(date) => json!(date),
        Candidate::Time(time) => json!(time.format("%H:%M").to_string()),
    }
}
