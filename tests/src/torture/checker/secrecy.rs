//! Checks that sealed sections open and equal what was sent, and that no planted text is in a file.

use std::path::{Path, PathBuf};

use anyhow::Context;
use aws_lc_rs::digest::{SHA256, digest};
use ledger_core::ids::EventId;
use ledger_store::read::at_positions;
use ledger_store::seal::{Opened, SectionName};
use ledger_store::vault::SectionColumn;
use ledger_store::{TenantTx, read::StoredEvent};
use sqlx::Executor;

use super::super::history::Acknowledgement;
use super::super::report::Check;
use super::super::workload::CANARIES;
use super::{Checker, log};
use crate::scan::Scanner;

/// Number of webhooks per tenant that are opened.
const SAMPLE: usize = 40;

/// A fact stored in the clear: a positive control for the search.
const POSITIVE_CONTROL: &str = "customer-ended-call";

/// Opens the sections of some webhooks and compares them with what was sent.
pub(super) async fn check_sections(
    checker: &Checker,
    dice: &mut fastrand::Rng,
) -> anyhow::Result<()> {
    let mut conn = checker.world().postgres.connect().await?;
    let entries = checker.sending.history.entries();
    for (nth, tenant) in checker.world().tenants.iter().enumerate() {
        let log = log::read(&mut conn, tenant.tenant_id).await?;
        let mut sent: Vec<([u8; 32], [u8; 32])> = entries
            .iter()
            .filter(|((whose, _), entry)| {
                *whose == Some(nth) && matches!(entry.answer, Some(Acknowledgement::Stored { .. }))
            })
            .filter_map(|((_, name), entry)| Some((*name, entry.kept?)))
            .collect();
        sent.sort_unstable();
        dice.shuffle(&mut sent);
        for (name, kept) in sent.into_iter().take(SAMPLE) {
            // A missing event was already reported as lost.
            let Some(position) = log.first_position(&name) else { continue };
            let mut tx = TenantTx::begin(checker.world().store.app(), tenant.tenant_id).await?;
            let events = at_positions(&mut tx, &[position]).await?;
            let event = events.first().context("it has just been there")?;
            let opened = raw(checker, nth, event).await?;
            if opened.is_none_or(|plain| digest(&SHA256, &plain).as_ref() != kept) {
                checker.findings.add(Check::SectionWrong, || {
                    format!("tenant {nth}: {} at {position}", event.event_type)
                });
            }
        }
    }
    Ok(())
}

/// Returns the opened `raw` section, or reports a finding if it does not open.
async fn raw(
    checker: &Checker,
    nth: usize,
    event: &StoredEvent,
) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(bulk) = &event.bulk else { return Ok(None) };
    let world = checker.world();
    let column = (SectionColumn::Bulk(EventId(event.event_id)), bulk.as_slice());
    let opened = world.store.vault().open(world.tenants[nth].tenant_id, &[column]).await?;
    let raw = opened.into_iter().flatten().find(|section| section.name == SectionName::Raw);
    Ok(raw.and_then(|section| match section.plain {
        Opened::Clear(plain) => Some(plain.reveal()),
        Opened::Erased | Opened::Restricted | Opened::Corrupt => None,
    }))
}

/// Searches every file of the run for the planted texts: data, write-ahead log, server logs, keys.
pub(super) async fn check_files(checker: &Checker) -> anyhow::Result<()> {
    let mut conn = checker.world().postgres.connect().await?;
    conn.execute("checkpoint").await?;
    let path: String = sqlx::query_scalar("select pg_relation_filepath('ledger.events')")
        .fetch_one(&mut conn)
        .await?;
    let database = path.split('/').nth(1).context("base/<database>/<file>")?.to_owned();
    let dir = checker.world().dir.clone();
    let texts: Vec<String> =
        CANARIES.iter().chain([&POSITIVE_CONTROL]).map(ToString::to_string).collect();
    let search = move || search_files(&dir, &database, &texts);
    let found = tokio::task::spawn_blocking(search).await?;
    let (allowed, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|found| found.starts_with(POSITIVE_CONTROL));
    anyhow::ensure!(!allowed.is_empty(), "the search finds not even what may be found");
    for found in found {
        checker.findings.add(Check::PersonalInClear, || found);
    }
    Ok(())
}

fn search_files(dir: &Path, database: &str, texts: &[String]) -> Vec<String> {
    let base: PathBuf = dir.join("data/pg/base");
    // The other databases of the cluster are templates.
    let skip = |path: &Path| path.parent() == Some(base.as_path()) && !path.ends_with(database);
    Scanner::new(texts).found_below(dir, &skip)
}
