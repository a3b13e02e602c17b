//! Loads and writes the rows of `call_rollups`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use ledger_store::StoreError;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Interner, Measures, RollupKey, RollupSet, RollupSum, too_large};
use crate::calendar::Granularity;
use crate::calls::revenue::{Priced, Revenue};
use crate::copy::{MIN_COPY_ROWS, RowText, copy_in};
use crate::histogram::Histogram;
use crate::projector::{ProjectError, WriteMode};

/// Columns of many keys as parallel arrays, bound as statement parameters.
#[derive(Default)]
struct KeyColumns {
    tenants: Vec<Uuid>,
    cuts: Vec<&'static str>,
    grains: Vec<&'static str>,
    starts: Vec<DateTime<Utc>>,
    tests: Vec<bool>,
    dimensions: [Vec<String>; super::DIMENSIONS],
}

impl KeyColumns {
    fn of<'k>(keys: impl Iterator<Item = &'k RollupKey>, names: &Interner) -> Self {
        let mut all = Self::default();
        for key in keys {
            all.tenants.push(key.tenant_id.0);
            all.cuts.push(key.cut.as_str());
            all.grains.push(key.grain.as_str());
            all.starts.push(key.starts_at);
            all.tests.push(key.is_test);
            for (column, number) in all.dimensions.iter_mut().zip(key.dimensions) {
                column.push(names.name(number).to_owned());
            }
        }
        all
    }
}

/// A row, in the column order of the table.
#[derive(Serialize)]
struct RollupRow<'a> {
    tenant_id: Uuid,
    cut: &'static str,
    grain: &'static str,
    starts_at: DateTime<Utc>,
    agent_id: &'a str,
    direction: &'a str,
    outcome: &'a str,
    ended_reason: &'a str,
    tool: &'a str,
    duration_class: &'a str,
    currency: &'a str,
    is_test: bool,
    #[serde(flatten)]
    measures: Measures,
    duration_buckets: Vec<i16>,
    duration_counts: Vec<i64>,
    revenue_currencies: Vec<String>,
    revenue_cents: Vec<i128>,
    revenue_counts: Vec<i64>,
}

impl<'a> RollupRow<'a> {
    fn of(key: &RollupKey, sum: &RollupSum, names: &'a Interner) -> Self {
        let [agent_id, direction, outcome, ended_reason, tool, duration_class, currency] =
            key.dimensions.map(|number| names.name(number));
        let (revenue_currencies, revenue_cents, revenue_counts) = sum.revenue.columns();
        Self {
            tenant_id: key.tenant_id.0,
            cut: key.cut.as_str(),
            grain: key.grain.as_str(),
            starts_at: key.starts_at,
            agent_id,
            direction,
            outcome,
            ended_reason,
            tool,
            duration_class,
            currency,
            is_test: key.is_test,
            measures: sum.measures,
            duration_buckets: sum.durations.counts().map(|(bucket, _)| bucket).collect(),
            duration_counts: sum.durations.counts().map(|(_, count)| count).collect(),
            revenue_currencies,
            revenue_cents,
            revenue_counts,
        }
    }

    fn copy(&self, rows: &mut RowText) {
        rows.plain(Some(self.tenant_id));
        rows.text(Some(self.cut));
        rows.text(Some(self.grain));
        rows.time(Some(self.starts_at));
        for dimension in [
            self.agent_id,
            self.direction,
            self.outcome,
            self.ended_reason,
            self.tool,
            self.duration_class,
            self.currency,
        ] {
            rows.text(Some(dimension));
        }
        rows.plain(Some(self.is_test));
        for value in self.measures.values() {
            rows.plain(Some(value));
        }
        rows.numbers(self.duration_buckets.iter());
        rows.numbers(self.duration_counts.iter());
        rows.texts(&self.revenue_currencies);
        rows.numbers(self.revenue_cents.iter());
        rows.numbers(self.revenue_counts.iter());
    }
}

/// Applies differences to the stored sums: inserts new rows, replaces changed ones and deletes rows
/// that became zero.
pub(super) async fn write(
    conn: &mut PgConnection,
    mut names: Interner,
    mut sums: HashMap<RollupKey, RollupSum>,
    mode: WriteMode,
) -> Result<(), ProjectError> {
    let mut keys: Vec<RollupKey> = sums.keys().copied().collect();
    keys.sort_unstable();
    let mut there = keys.clone();
    // During a rebuild every batch has one tenant only.
    if let Some(key) = keys.first().filter(|_| mode == WriteMode::Copy) {
        let newest = newest(conn, key.tenant_id).await?;
        there
            .retain(|key| newest.get(&(key.cut, key.grain)).is_some_and(|at| key.starts_at <= *at));
    }
    let known = load(conn, &mut names, &there).await?;
    let (mut new, mut changed, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for key in &keys {
        let sum = sums.get_mut(key).expect("one of its own keys");
        match known.get(key) {
            None => new.push(*key),
            Some(before) => {
                sum.merge(before).ok_or_else(too_large)?;
                if sum.is_nothing() { gone.push(*key) } else { changed.push(*key) }
            }
        }
    }
    if mode == WriteMode::Upsert || new.len() < MIN_COPY_ROWS {
        changed.append(&mut new);
    }
    let row = |key: &RollupKey| RollupRow::of(key, &sums[key], &names);
    if !new.is_empty() {
        let statement = format!(
            "copy call_rollups ({KEY_COLUMNS}{}, duration_buckets, duration_counts, \
             revenue_currencies, revenue_cents, revenue_counts) from stdin",
            Measures::COLUMNS
        );
        copy_in(conn, &statement, &new, |key, text| row(key).copy(text)).await?;
    }
    upsert(conn, &changed.iter().map(row).collect::<Vec<_>>()).await?;
    remove(conn, &KeyColumns::of(gone.iter(), &names)).await
}

const KEY_COLUMNS: &str = "tenant_id, cut, grain, starts_at, agent_id, direction, outcome, \
                           ended_reason, tool, duration_class, currency, is_test";

/// Returns the start of the last stored sum by rollup set and granularity. Later keys need no
/// lookup, and most keys of a rebuild batch are after it.
async fn newest(
    conn: &mut PgConnection,
    tenant_id: TenantId,
) -> Result<HashMap<(RollupSet, Granularity), DateTime<Utc>>, ProjectError> {
    let all: Vec<(RollupSet, Granularity)> = RollupSet::ALL
        .into_iter()
        .flat_map(|cut| Granularity::ALL.map(|grain| (cut, grain)))
        .collect();
    let cuts: Vec<&str> = all.iter().map(|(cut, _)| cut.as_str()).collect();
    let grains: Vec<&str> = all.iter().map(|(_, grain)| grain.as_str()).collect();
    let rows = sqlx::query!(
        r#"
        select k.nth as "nth!", s.starts_at as "starts_at!"
          from unnest($2::text[], $3::text[]) with ordinality as k (cut, grain, nth)
         cross join lateral (
           select starts_at from call_rollups
            where tenant_id = $1 and cut = k.cut and grain = k.grain
            order by starts_at desc
            limit 1) s
        "#,
        tenant_id.0,
        &cuts as _,
        &grains as _,
    )
    .fetch_all(conn)
    .await?;
    let nth = |nth: i64| all[usize::try_from(nth - 1).expect("counted from one")];
    Ok(rows.iter().map(|row| (nth(row.nth), row.starts_at)).collect())
}

async fn load(
    conn: &mut PgConnection,
    names: &mut Interner,
    keys: &[RollupKey],
) -> Result<HashMap<RollupKey, RollupSum>, ProjectError> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let keys = KeyColumns::of(keys.iter(), names);
    let [agents, directions, outcomes, reasons, tools, classes, currencies] = &keys.dimensions;
    let rows = sqlx::query!(
        r#"
        select r.tenant_id, r.cut, r.grain, r.starts_at, r.is_test, r.agent_id, r.direction, r.outcome,
               r.ended_reason, r.tool, r.duration_class, r.currency, r.calls, r.timed_calls,
               r.duration_ms::text as "duration_ms!", r.cost_nanos::text as "cost_nanos!",
               r.transport_nanos::text as "transport_nanos!", r.stt_nanos::text as "stt_nanos!",
               r.llm_nanos::text as "llm_nanos!", r.tts_nanos::text as "tts_nanos!",
               r.platform_nanos::text as "platform_nanos!", r.other_nanos::text as "other_nanos!",
               r.evaluated, r.successes, r.booked, r.transfers, r.tool_calls, r.user_interruptions,
               r.assistant_interruptions, r.latency_calls, r.latency_ms::text as "latency_ms!",
               r.duration_buckets, r.duration_counts, r.engaged, r.offered, r.attended,
               r.revenue_currencies, r.revenue_cents::text[] as "revenue_cents!: Vec<String>",
               r.revenue_counts
          from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::boolean[], $6::text[],
                      $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
            as k (tenant_id, cut, grain, starts_at, is_test, agent_id, direction, outcome, ended_reason, tool,
                  duration_class, currency)
         cross join lateral (
           select * from call_rollups s
            where s.tenant_id = k.tenant_id and s.cut = k.cut and s.grain = k.grain
              and s.starts_at = k.starts_at and s.is_test = k.is_test
              and s.agent_id = k.agent_id and s.direction = k.direction and s.outcome = k.outcome
              and s.ended_reason = k.ended_reason and s.tool = k.tool
              and s.duration_class = k.duration_class and s.currency = k.currency
           offset 0) r
        "#,
        &keys.tenants,
        &keys.cuts as _,
        &keys.grains as _,
        &keys.starts,
        &keys.tests,
        agents,
        directions,
        outcomes,
        reasons,
        tools,
        classes,
        currencies,
    )
    .fetch_all(conn)
    .await?;
    let mut known = HashMap::with_capacity(rows.len());
    for row in rows {
        let dimensions = [
            &row.agent_id,
            &row.direction,
            &row.outcome,
            &row.ended_reason,
            &row.tool,
            &row.duration_class,
            &row.currency,
        ]
        .map(|name| names.number(name));
        let key = RollupKey {
            tenant_id: TenantId(row.tenant_id),
            cut: named(RollupSet::ALL, RollupSet::as_str, &row.cut),
            grain: named(Granularity::ALL, Granularity::as_str, &row.grain),
            starts_at: row.starts_at,
            is_test: row.is_test,
            dimensions,
        };
        let measures = Measures {
            calls: row.calls,
            timed_calls: row.timed_calls,
            duration_ms: parse_sum("duration_ms", &row.duration_ms)?,
            cost_nanos: parse_sum("cost_nanos", &row.cost_nanos)?,
            transport_nanos: parse_sum("transport_nanos", &row.transport_nanos)?,
            stt_nanos: parse_sum("stt_nanos", &row.stt_nanos)?,
            llm_nanos: parse_sum("llm_nanos", &row.llm_nanos)?,
            tts_nanos: parse_sum("tts_nanos", &row.tts_nanos)?,
            platform_nanos: parse_sum("platform_nanos", &row.platform_nanos)?,
            other_nanos: parse_sum("other_nanos", &row.other_nanos)?,
            evaluated: row.evaluated,
            successes: row.successes,
            booked: row.booked,
            transfers: row.transfers,
            tool_calls: row.tool_calls,
            user_interruptions: row.user_interruptions,
            assistant_interruptions: row.assistant_interruptions,
            latency_calls: row.latency_calls,
            latency_ms: parse_sum("latency_ms", &row.latency_ms)?,
            engaged: row.engaged,
            offered: row.offered,
            attended: row.attended,
        };
        let counts = row.duration_buckets.into_iter().zip(row.duration_counts);
        let durations = Histogram::from_counts(counts);
        let sums = row.revenue_cents.iter().zip(row.revenue_counts);
        let revenue = revenue_of(row.revenue_currencies.into_iter().zip(sums))?;
        known.insert(key, RollupSum { measures, durations, revenue });
    }
    Ok(known)
}

/// Parses sums of prices: currency, sum and number of appointments of each.
fn revenue_of<'t>(
    columns: impl Iterator<Item = (String, (&'t String, i64))>,
) -> Result<Revenue, StoreError> {
    let priced = |(currency, (cents, appointments)): (String, (&'t String, i64))| {
        let cents = parse_sum("revenue_cents", cents)?;
        Ok::<_, StoreError>((currency, Priced { appointments, cents }))
    };
    Ok(Revenue::from_columns(
        columns.map(priced).collect::<Result<Vec<_>, StoreError>>()?.into_iter(),
    ))
}

/// Parses a sum, which is read as text because its value may exceed 64 bits.
fn parse_sum(column: &'static str, text: &str) -> Result<i128, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt { table: "call_rollups", column })
}

/// Returns the variant with a stored name; the statement selects only names of existing variants.
fn named<T: Copy, const N: usize>(all: [T; N], name: fn(T) -> &'static str, stored: &str) -> T {
    let found = all.into_iter().find(|one| name(*one) == stored);
    found.expect("only rows with these names were asked for")
}

async fn upsert(conn: &mut PgConnection, rows: &[RollupRow<'_>]) -> Result<(), ProjectError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into call_rollups
         select * from json_populate_recordset(null::call_rollups, $1::text::json)
             on conflict (tenant_id, cut, grain, starts_at, is_test, agent_id, direction, outcome,
                          ended_reason, tool, duration_class, currency) do update
            set calls = excluded.calls, timed_calls = excluded.timed_calls,
                duration_ms = excluded.duration_ms, cost_nanos = excluded.cost_nanos,
                transport_nanos = excluded.transport_nanos, stt_nanos = excluded.stt_nanos,
                llm_nanos = excluded.llm_nanos, tts_nanos = excluded.tts_nanos,
                platform_nanos = excluded.platform_nanos, other_nanos = excluded.other_nanos,
                evaluated = excluded.evaluated, successes = excluded.successes,
                booked = excluded.booked, transfers = excluded.transfers,
                tool_calls = excluded.tool_calls, user_interruptions = excluded.user_interruptions,
                assistant_interruptions = excluded.assistant_interruptions,
                latency_calls = excluded.latency_calls, latency_ms = excluded.latency_ms,
                duration_buckets = excluded.duration_buckets,
                duration_counts = excluded.duration_counts, engaged = excluded.engaged,
                offered = excluded.offered, attended = excluded.attended,
                revenue_currencies = excluded.revenue_currencies,
                revenue_cents = excluded.revenue_cents, revenue_counts = excluded.revenue_counts",
        serde_json::to_string(rows).expect("rows are plain data"),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn remove(conn: &mut PgConnection, keys: &KeyColumns) -> Result<(), ProjectError> {
    if keys.cuts.is_empty() {
        return Ok(());
    }
    let [agents, directions, outcomes, reasons, tools, classes, currencies] = &keys.dimensions;
    sqlx::query!(
        "delete from call_rollups s
          using unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::boolean[], $6::text[],
                       $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
             as k (tenant_id, cut, grain, starts_at, is_test, agent_id, direction, outcome, ended_reason, tool,
                   duration_class, currency)
          where s.tenant_id = k.tenant_id and s.cut = k.cut and s.grain = k.grain
            and s.starts_at = k.starts_at and s.is_test = k.is_test
            and s.agent_id = k.agent_id and s.direction = k.direction and s.outcome = k.outcome
            and s.ended_reason = k.ended_reason and s.tool = k.tool
            and s.duration_class = k.duration_class and s.currency = k.currency",
        &keys.tenants,
        &keys.cuts as _,
        &keys.grains as _,
        &keys.starts,
        &keys.tests,
        agents,
        directions,
        outcomes,
        reasons,
        tools,
        classes,
        currencies,
    )
    .execute(conn)
    .await?;
    Ok(())
}
