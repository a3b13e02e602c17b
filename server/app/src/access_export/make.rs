//! Makes the file of an export.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ledger_core::event::{AccessExported, HexDigest};
use ledger_core::ids::{ExportId, Position, SubjectId, TenantId};
use ledger_store::read::{Selection, StoredEvent, at_positions, positions_about};
use ledger_store::{Store, TenantTx};

use super::about::{self, About, select};
use super::bundle::Bundle;
use super::calls::{self, CallSummary, text_of};
use super::csv;
use super::error::AccessExportError;
use super::events::{line, open};
use super::html::page;
use super::passphrase::Passphrase;
use super::record::{Counts, Gathered, Head, SCHEMA};
use crate::fault::Fault;

/// Number of positions that are read at once.
const POSITIONS: i64 = 2_000;
/// Bytes of sealed sections that are read at once, which bounds the memory of an export; a single event
/// may have more.
const PIECE: usize = 4 << 20;

/// The columns of `appointments.csv`.
const APPOINTMENT_COLUMNS: [&str; 9] = [
    "appointment_id",
    "role",
    "service_type",
    "resource",
    "scheduled_at",
    "ends_at",
    "status",
    "call_id",
    "details",
];

/// A file that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The contacts that were merged into the subject.
    pub parts: Vec<SubjectId>,
    /// Position up to which the log was read.
    pub position: Position,
    /// Numbers of the export.
    pub counts: Counts,
    /// Size of the encrypted file in bytes.
    pub bytes: u64,
    /// SHA-256 of the manifest.
    pub digest: HexDigest,
}

impl Made {
    /// The facts of the disclosure.
    #[must_use]
    pub fn facts(
        &self,
        (export_id, subject_id): (ExportId, SubjectId),
        expires_at: chrono::DateTime<chrono::Utc>,
    ) -> AccessExported {
        AccessExported {
            export_id,
            subject_id,
            parts: self.parts.clone(),
            position: self.position.0,
            events: self.counts.events,
            sections: self.counts.sections,
            withheld: self.counts.withheld_sections,
            bytes: self.bytes,
            digest: self.digest,
            expires_at,
        }
    }
}

/// Makes the file of an export at `path`: reads the events about the subject, opens the sections of
/// the person, and compares the number of events with that of the log.
///
/// # Errors
/// [`AccessExportError`]; there is no file then.
pub async fn make(
    store: &Store,
    tenant_id: TenantId,
    (export_id, subject_id): (ExportId, SubjectId),
    (path, passphrase): (PathBuf, Passphrase),
) -> Result<Made, AccessExportError> {
    let state = store.access_state(tenant_id, subject_id).await?;
    let parts = state.parts_of(subject_id);
    let people: Vec<_> = std::iter::once(subject_id).chain(parts.iter().copied()).collect();
    let mut about = select(store, tenant_id, people).await?;
    let calls = std::mem::take(&mut about.calls);
    let sources: BTreeSet<String> = calls.iter().map(CallSummary::provider).collect();
    let head = Head {
        export_id: export_id.0,
        tenant_id: tenant_id.0,
        subject_id: subject_id.0,
        merged_subjects: parts.iter().map(|part| part.0).collect(),
        own_subjects_of_calls: about.subjects.difference(&about.contacts).copied().collect(),
        made_at: store.clock().now_micros(),
        last_position: about.head.0,
        is_restricted: state.is_restricted(subject_id),
        sources: sources.into_iter().filter(|source| !source.is_empty()).collect(),
    };
    let bundle = Bundle::begin(path, export_id.0, passphrase);
    let writer = Writer { store, tenant_id, about: &about, bundle: &bundle };
    let counts = match writer.write(head, calls).await {
        Ok(counts) => counts,
        Err(error) => {
            let cause = bundle.error().await;
            return Err(match error {
                AccessExportError::Storage(_) => cause.into(),
                error => error,
            });
        }
    };
    let written = bundle.finish().await?;
    let (bytes, digest) = (written.bytes, written.digest);
    Ok(Made { parts, position: about.head, counts, bytes, digest })
}

/// Writes the files of an export.
struct Writer<'a> {
    store: &'a Store,
    tenant_id: TenantId,
    about: &'a About,
    bundle: &'a Bundle,
}

impl Writer<'_> {
    async fn write(
        &self,
        head: Head,
        mut calls: Vec<CallSummary>,
    ) -> Result<Counts, AccessExportError> {
        let gathered = self.write_events().await?;
        self.check_complete(&gathered).await?;
        for call in &mut calls {
            let Some(text) = text_of(self.store, self.tenant_id, self.about, call).await? else {
                continue;
            };
            let file = call.file();
            self.bundle.file(&file).await?;
            self.bundle.write(text.into_bytes()).await?;
            call.transcript = Some(file);
        }
        self.write_tables(&calls, &gathered).await?;
        let counts = gathered.counts;
        let settings = self.store.call_settings(self.tenant_id).await?;
        let record = gathered.into_record(head, calls, (self.about, &settings.retention));
        let fault = |error| AccessExportError::from(Fault::internal(&error));
        let json = serde_json::to_vec_pretty(&record).map_err(fault)?;
        for (name, bytes) in [
            ("record.json", json),
            ("record.schema.json", SCHEMA.as_bytes().to_vec()),
            ("index.html", page(&record).into_bytes()),
        ] {
            self.bundle.file(name).await?;
            self.bundle.write(bytes).await?;
        }
        Ok(counts)
    }

    async fn write_events(&self) -> Result<Gathered, AccessExportError> {
        let mut gathered = Gathered::default();
        self.bundle.file("events.ndjson").await?;
        let (streams, subjects) = self.about.ids();
        let selection = Selection { streams: &streams, subjects: &subjects };
        for mut window in about::windows(self.about.head) {
            loop {
                let mut tx = TenantTx::begin(self.store.app(), self.tenant_id).await?;
                let found = positions_about(&mut tx, selection, window, POSITIONS).await?;
                drop(tx);
                let Some((last, _)) = found.last().copied() else { break };
                for piece in pieces(&found) {
                    self.write_piece(&piece, &mut gathered).await?;
                }
                window.after = Position(last);
            }
        }
        Ok(gathered)
    }

    async fn write_piece(
        &self,
        positions: &[i64],
        gathered: &mut Gathered,
    ) -> Result<(), AccessExportError> {
        let mut tx = TenantTx::begin(self.store.app(), self.tenant_id).await?;
        let events = at_positions(&mut tx, positions).await?;
        drop(tx);
        for event in &events {
            self.write_event(event, gathered).await?;
        }
        Ok(())
    }

    async fn write_event(
        &self,
        event: &StoredEvent,
        gathered: &mut Gathered,
    ) -> Result<(), AccessExportError> {
        let opened = open(self.store, self.tenant_id, self.about, event).await?;
        let line = line(self.about, event, &opened).await;
        let line = line.map_err(|error| Fault::internal(&error))?;
        self.bundle.write(line).await?;
        gathered.add(self.about, event, &opened);
        Ok(())
    }

    /// Compares the written events of each stream with its versions, which are dense, and those of
    /// other streams with their number in the log.
    async fn check_complete(&self, gathered: &Gathered) -> Result<(), AccessExportError> {
        let (streams, elsewhere) = about::count(self.store, self.tenant_id, self.about).await?;
        let is_complete = streams == gathered.by_stream && elsewhere == gathered.elsewhere;
        if is_complete {
            return Ok(());
        }
        let logged = streams.values().sum::<u64>() + elsewhere;
        let written = gathered.counts.events;
        tracing::error!(written, logged, "export.incomplete");
        Err(AccessExportError::Incomplete { written, logged })
    }

    async fn write_tables(
        &self,
        calls: &[CallSummary],
        gathered: &Gathered,
    ) -> Result<(), AccessExportError> {
        let mut table = String::new();
        csv::row(&mut table, calls::COLUMNS);
        for call in calls {
            csv::row(&mut table, call.cells().iter().map(String::as_str));
        }
        self.bundle.file("calls.csv").await?;
        self.bundle.write(table.into_bytes()).await?;
        let mut table = String::new();
        csv::row(&mut table, APPOINTMENT_COLUMNS);
        for one in gathered.appointments.values() {
            let details: Vec<String> = one.details.iter().map(ToString::to_string).collect();
            let columns = [
                one.appointment_id.to_string(),
                one.role.to_owned(),
                one.service_type.clone().unwrap_or_default(),
                one.resource.clone(),
                one.scheduled_at.to_rfc3339(),
                one.ends_at.to_rfc3339(),
                one.status.to_owned(),
                one.call_id.map(|call| call.to_string()).unwrap_or_default(),
                details.join("; "),
            ];
            csv::row(&mut table, columns.iter().map(String::as_str));
        }
        self.bundle.file("appointments.csv").await?;
        self.bundle.write(table.into_bytes()).await?;
        Ok(())
    }
}

/// Divides positions into pieces of at most [`PIECE`] bytes, or of one event.
fn pieces(found: &[(i64, usize)]) -> Vec<Vec<i64>> {
    let (mut pieces, mut left) = (Vec::<Vec<i64>>::new(), 0);
    for (position, bytes) in found {
        match pieces.last_mut().filter(|_| *bytes <= left) {
            Some(piece) => piece.push(*position),
            None => {
                pieces.push(vec![*position]);
                left = PIECE;
            }
        }
        left = left.saturating_sub(*bytes);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_has_as_many_events_as_fit_and_one_at_least() {
        assert!(pieces(&[]).is_empty());
        let half = PIECE / 2;
        let found = [(1, half), (2, half), (3, 1), (4, 3 * PIECE), (5, 0), (6, 1)];
        assert_eq!(pieces(&found), [vec![1, 2], vec![3], vec![4, 5], vec![6]]);
    }
}
