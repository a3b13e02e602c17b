//! Writing an export: rows stream from one snapshot of the database into the file.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Row, SqlSafeStr};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::file::{Frame, Head, TableHead, Writer, Written};
use super::tables::EXPORTED;
use super::{VaultExport, VaultExportError};

/// Frames between the database and the file; with [`BATCH`] the limit of memory.
const QUEUED: usize = 4;
/// Rows are written in frames of about this size, in bytes.
const BATCH: usize = 1 << 18;

pub(super) async fn export(
    owner: &PgPool,
    now: DateTime<Utc>,
    path: PathBuf,
) -> Result<VaultExport, VaultExportError> {
    let (frames, queue) = mpsc::channel(QUEUED);
    let target = path.clone();
    let writer = spawn_blocking(move || write(target, queue));
    let read = read(owner, now, frames).await;
    // A failed write ends the queue, so its error is the one to report.
    let written = writer.await.expect("the writer does not panic")?;
    let subjects = read?;
    // Without all frames there is no file.
    let Written { bytes, sha256 } = written.expect("every frame was read");
    Ok(VaultExport { path, subjects, bytes, sha256 })
}

/// Writes the frames of a queue. `None` if the queue ended before the last frame: then there is no
/// file.
fn write(
    path: PathBuf,
    mut queue: mpsc::Receiver<Option<Frame>>,
) -> Result<Option<Written>, VaultExportError> {
    let mut writer = Writer::create(path)?;
    while let Some(frame) = queue.blocking_recv() {
        match frame {
            Some(frame) => writer.write(&frame)?,
            None => return writer.finish().map(Some),
        }
    }
    Ok(None)
}

/// Reads every table from one snapshot; returns the number of subjects.
async fn read(
    owner: &PgPool,
    now: DateTime<Utc>,
    frames: mpsc::Sender<Option<Frame>>,
) -> Result<u64, VaultExportError> {
    let mut conn = owner.acquire().await?;
    let begin = "begin isolation level repeatable read read only".into_sql_str();
    let mut tx = conn.begin_with(begin).await?;
    let _ = frames.send(Some(Frame::Head(Head { format: 1, created_at: now }))).await;
    for table in EXPORTED {
        let rows = count(&mut tx, &format!("select count(*) from {}", table.name)).await?;
        let head = TableHead {
            name: table.name.to_owned(),
            columns: table.columns.iter().map(|&column| column.to_owned()).collect(),
            rows,
        };
        let _ = frames.send(Some(Frame::Table(head))).await;
        let copy = format!(
            "copy (select {} from {}) to stdout (format binary)",
            table.list(""),
            table.name
        );
        if !copy_rows(&mut tx, &copy, &frames).await? {
            break;
        }
    }
    let subjects =
        "select count(distinct (tenant_id, subject_id)) from vault.subject_keys".to_owned();
    let subjects = count(&mut tx, &subjects).await?;
    tx.rollback().await?;
    let _ = frames.send(None).await;
    Ok(subjects)
}

/// Passes the rows of a `copy` on. False when the writer has failed.
async fn copy_rows(
    conn: &mut PgConnection,
    copy: &str,
    frames: &mpsc::Sender<Option<Frame>>,
) -> Result<bool, VaultExportError> {
    let mut rows = conn.copy_out_raw(copy).await?;
    let mut batch = Vec::with_capacity(BATCH);
    let mut is_taken = true;
    // Read to the end in any case: a copy that is left half read would occupy the connection.
    while let Some(bytes) = rows.try_next().await? {
        batch.extend_from_slice(&bytes);
        if batch.len() >= BATCH {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            is_taken = is_taken && frames.send(Some(Frame::Rows(full))).await.is_ok();
        }
    }
    Ok(is_taken && frames.send(Some(Frame::Rows(batch))).await.is_ok())
}

async fn count(conn: &mut PgConnection, statement: &str) -> Result<u64, VaultExportError> {
    let counted = sqlx::query(AssertSqlSafe(statement.to_owned())).fetch_one(conn).await?;
    Ok(counted.try_get::<i64, _>(0)?.unsigned_abs())
}
