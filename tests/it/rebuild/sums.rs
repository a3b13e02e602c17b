//! Independent computation of the sums over calls: from the rows of the calls alone, without
//! incremental updates.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use ledger_core::ids::TenantId;
use projections::calendar::Granularity;
use projections::calls::state;
use projections::histogram::bucket_of;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

/// The measures that are summed.
const MEASURES: [&str; 22] = [
    "calls",
    "timed_calls",
    "duration_ms",
    "cost_nanos",
    "transport_nanos",
    "stt_nanos",
    "llm_nanos",
    "tts_nanos",
    "platform_nanos",
    "other_nanos",
    "evaluated",
    "successes",
    "booked",
    "transfers",
    "tool_calls",
    "user_interruptions",
    "assistant_interruptions",
    "latency_calls",
    "latency_ms",
    "engaged",
    "offered",
    "attended",
];
/// The grouping columns except cut, granularity, start and test flag.
const DIMENSIONS: [&str; 7] =
    ["agent_id", "direction", "outcome", "ended_reason", "tool", "duration_class", "currency"];

/// Start, person and test flag of a call.
type StartPersonTest = (DateTime<Utc>, Option<Uuid>, bool);
type SumKey = (String, String, DateTime<Utc>, bool, [String; 7]);

#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    measures: [i64; 22],
    durations: BTreeMap<i16, i64>,
    revenue: Revenue,
}

/// Number of appointments and sum of their prices by currency.
type Revenue = BTreeMap<String, (i64, i64)>;

/// Returns the revenue of a call or of a sum.
fn revenue_of(row: &PgRow) -> Revenue {
    let (currencies, counts): (Vec<String>, Vec<i64>) =
        (row.get("revenue_currencies"), row.get("revenue_counts"));
    let cents: Vec<i64> = row.get("fits_revenue");
    assert!(currencies.len() == counts.len() && counts.len() == cents.len());
    currencies.into_iter().zip(counts.into_iter().zip(cents)).collect()
}

/// A call, decoded from its row.
struct CallRow {
    call_id: Uuid,
    started_at: DateTime<Utc>,
    is_test: bool,
    person_id: Option<Uuid>,
    measures: [i64; 22],
    duration_ms: Option<i64>,
    /// In the order of [`DIMENSIONS`], with an empty tool.
    dimensions: [String; 7],
    /// Number of calls by tool.
    tools: BTreeMap<String, i64>,
    revenue: Revenue,
}

impl CallRow {
    fn of(row: &PgRow) -> Self {
        let number = |name: &str| row.get::<Option<i64>, _>(name);
        let small = |name: &str| row.get::<Option<i32>, _>(name).map_or(0, i64::from);
        let text = |name: &str| row.get::<Option<String>, _>(name).unwrap_or_default();
        let is = |name: &str| i64::from(row.get::<bool, _>(name));
        let success: Option<bool> = row.get("success");
        let duration_ms = number("duration_ms");
        let call = state::unpack(row.get("fold")).expect("a fold");
        let mut tools: BTreeMap<String, i64> =
            row.get::<Vec<String>, _>("tools_used").into_iter().map(|tool| (tool, 0)).collect();
        for made in call.tool_calls() {
            tools.entry(made.tool).and_modify(|count| *count += 1);
        }
        let latency = number("turn_latency_ms");
        let measures = MEASURES.map(|name| match name {
            "calls" => 1,
            "timed_calls" => i64::from(duration_ms.is_some()),
            "evaluated" => i64::from(success.is_some()),
            "successes" => i64::from(success == Some(true)),
            "booked" => is("is_booked"),
            "transfers" => is("is_transferred"),
            "engaged" | "offered" | "attended" => is(&format!("is_{name}")),
            "tool_calls" | "user_interruptions" | "assistant_interruptions" => small(name),
            "latency_calls" => i64::from(latency.is_some()),
            "latency_ms" => latency.unwrap_or(0),
            _ => number(name).unwrap_or(0),
        });
        let dimensions = DIMENSIONS.map(|name| match name {
            "tool" => String::new(),
            "duration_class" => duration_ms.map_or("", class_of).to_owned(),
            _ => text(name),
        });
        Self {
            call_id: row.get("call_id"),
            started_at: row.get("started_at"),
            is_test: row.get("is_test"),
            person_id: row.get("person_id"),
            measures,
            duration_ms,
            dimensions,
            tools,
            revenue: revenue_of(row),
        }
    }

    /// Returns for each cut its kept dimensions and the measures of the call in it.
    fn cuts(&self) -> Vec<(&'static str, [String; 7], [i64; 22])> {
        let keep = |kept: &[&str]| {
            let mut dimensions = self.dimensions.clone();
            for (name, dimension) in DIMENSIONS.iter().zip(&mut dimensions) {
                if *name != "currency" && !kept.contains(name) {
                    dimension.clear();
                }
            }
            dimensions
        };
        let full = ["agent_id", "direction", "outcome", "ended_reason"];
        let mut cuts = vec![
            ("total", keep(&[]), self.measures),
            ("agent", keep(&["agent_id"]), self.measures),
            ("duration", keep(&["duration_class"]), self.measures),
            ("full", keep(&full), self.measures),
        ];
        for (tool, calls) in &self.tools {
            let (mut dimensions, mut measures) = (keep(&[]), self.measures);
            dimensions[4].clone_from(tool);
            measures[14] = *calls;
            cuts.push(("tool", dimensions, measures));
        }
        cuts
    }
}

fn class_of(duration_ms: i64) -> &'static str {
    match duration_ms {
        ..10_000 => "under_10s",
        10_000..30_000 => "10s_to_30s",
        30_000..60_000 => "30s_to_1m",
        60_000..120_000 => "1m_to_2m",
        120_000..300_000 => "2m_to_5m",
        300_000..600_000 => "5m_to_10m",
        _ => "10m_and_more",
    }
}

async fn rows(
    conn: &mut PgConnection,
    version: i32,
    table: &str,
    tenant_id: TenantId,
) -> Vec<PgRow> {
    let columns = match table {
        "calls" => "*, state as fold, revenue_cents::bigint[] as fits_revenue".to_owned(),
        // Sums are numeric; those of these histories fit 64 bits.
        "call_rollups" => {
            let fits = MEASURES.map(|name| format!("{name}::bigint as fits_{name}"));
            format!("*, revenue_cents::bigint[] as fits_revenue, {}", fits.join(", "))
        }
        _ => "*".to_owned(),
    };
    let select = format!("select {columns} from calls_v{version}.{table} where tenant_id = $1");
    let rows = sqlx::query(AssertSqlSafe(select)).bind(tenant_id.0).fetch_all(conn).await;
    rows.expect("the rows")
}

/// Checks that the derived rows of a tenant equal the sums over its calls, and that there are no
/// others.
pub(super) async fn assert_sums(
    conn: &mut PgConnection,
    version: i32,
    tenant_id: TenantId,
    zone: Tz,
) {
    let calls: Vec<CallRow> =
        rows(conn, version, "calls", tenant_id).await.iter().map(CallRow::of).collect();
    assert!(!calls.is_empty());
    let mut sums: BTreeMap<SumKey, Sum> = BTreeMap::new();
    let mut callers: BTreeMap<(bool, Uuid), i64> = BTreeMap::new();
    for one in &calls {
        for grain in Granularity::ALL {
            let start = grain.start(zone, one.started_at);
            for (cut, dimensions, measures) in one.cuts() {
                if grain == Granularity::Hour && ["tool", "duration"].contains(&cut) {
                    continue;
                }
                let key = (cut.into(), grain.as_str().into(), start, one.is_test, dimensions);
                let sum = sums.entry(key).or_default();
                for (total, measure) in sum.measures.iter_mut().zip(measures) {
                    *total += measure;
                }
                for (currency, (count, cents)) in &one.revenue {
                    let total = sum.revenue.entry(currency.clone()).or_default();
                    *total = (total.0 + count, total.1 + cents);
                }
                if let Some(duration_ms) = one.duration_ms {
                    *sum.durations.entry(bucket_of(duration_ms)).or_default() += 1;
                }
            }
        }
        if let Some(person_id) = one.person_id {
            *callers.entry((one.is_test, person_id)).or_default() += 1;
        }
    }
    let kept: BTreeMap<SumKey, Sum> =
        rows(conn, version, "call_rollups", tenant_id).await.iter().map(kept).collect();
    for (key, sum) in &sums {
        assert_eq!(kept.get(key), Some(sum), "{zone} {key:?}");
    }
    assert_eq!(kept.len(), sums.len(), "nothing else is kept");

    let counted = |row: &PgRow| ((row.get("is_test"), row.get("person_id")), row.get("calls"));
    let kept = rows(conn, version, "callers", tenant_id).await;
    assert_eq!(kept.iter().map(counted).collect::<BTreeMap<_, _>>(), callers);
    assert_handles(conn, version, tenant_id, &kept).await;
    assert_bookings(conn, version, tenant_id).await;
    assert_contacts(conn, version, tenant_id).await;
    let used = calls.iter().flat_map(|one| {
        let whose = (one.started_at, one.person_id, one.is_test);
        one.tools.iter().map(move |(tool, times)| ((one.call_id, tool.clone()), (*times, whose)))
    });
    let listed = |row: &PgRow| {
        let whose = (row.get("started_at"), row.get("person_id"), row.get("is_test"));
        ((row.get("call_id"), row.get("tool")), (row.get("calls"), whose))
    };
    let listed: BTreeMap<(Uuid, String), (i64, StartPersonTest)> =
        rows(conn, version, "call_tools", tenant_id).await.iter().map(listed).collect();
    assert_eq!(listed, used.collect());
}

/// Asserts that the columns about appointments follow from those booked in each call and in its part
/// at a carrier, which counts for the first record that names it.
async fn assert_bookings(conn: &mut PgConnection, version: i32, tenant_id: TenantId) {
    let wrong: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "with own as (
           select b.*, coalesce((select r.call_id
                                   from calls_v{version}.carrier_calls p
                                   join calls_v{version}.calls r
                                     on r.tenant_id = p.tenant_id and r.carrier_call_id = p.call_id
                                  where p.tenant_id = b.tenant_id and p.call_id = b.call_id
                                  order by r.started_at, r.call_id limit 1), b.call_id) as record_id
             from calls_v{version}.call_appointments b where b.tenant_id = $1)
         select format('%s: %s', c.provider_call_id, to_jsonb(c) - 'state' - 'party')
           from calls_v{version}.calls c
          cross join lateral (
                select count(*) as bookings, coalesce(bool_or(status = 'completed'), false) as attended,
                       (array_agg(appointment_id order by booked_position desc))[1] as last,
                       (array_agg(status order by booked_position desc))[1] as last_status,
                       (array_agg(scheduled_at order by booked_position desc))[1] as last_start,
                       (array_agg(service order by booked_position desc))[1] as last_service
                  from own where record_id = c.call_id) b
          cross join lateral (
                select coalesce(array_agg(currency order by currency collate \"C\"), '{{}}') as currencies,
                       coalesce(array_agg(cents order by currency collate \"C\"), '{{}}') as cents,
                       coalesce(array_agg(priced order by currency collate \"C\"), '{{}}') as priced
                  from (select currency, sum(price_cents) as cents, count(*) as priced from own
                         where record_id = c.call_id and status not in ('cancelled', 'no_show')
                           and price_cents is not null and currency is not null
                         group by currency) p) r
          where c.tenant_id = $1
            and (c.is_booked, c.is_attended, c.appointment_id, c.appointment_status,
                 c.appointment_scheduled_at, c.appointment_service, c.revenue_currencies,
                 c.revenue_cents, c.revenue_counts)
                is distinct from
                (b.bookings > 0, b.attended, b.last, b.last_status, b.last_start, b.last_service,
                 r.currencies, r.cents, r.priced)"
    )))
    .bind(tenant_id.0)
    .fetch_all(conn)
    .await
    .expect("an answer");
    assert_eq!(wrong, Vec::<String>::new());
}

/// Asserts that the sums by contact and currency are those over the calls that are no test calls.
async fn assert_contacts(conn: &mut PgConnection, version: i32, tenant_id: TenantId) {
    let wrong: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "with summed as (
           select contact_id, case when cost_nanos is null then '' else coalesce(currency, '') end as currency,
                  count(*) as calls, sum(coalesce(duration_ms, 0)) as duration_ms,
                  sum(coalesce(cost_nanos, 0)) as cost_nanos
             from calls_v{version}.calls
            where tenant_id = $1 and contact_id is not null and not is_test
            group by 1, 2
         ), kept as (
           select contact_id, currency, calls, duration_ms, cost_nanos
             from calls_v{version}.contact_calls where tenant_id = $1)
         select format('%s', w) from (
           (select 'missing', s.* from (select * from summed except select * from kept) s)
           union all
           (select 'too much', k.* from (select * from kept except select * from summed) k)) w"
    )))
    .bind(tenant_id.0)
    .fetch_all(conn)
    .await
    .expect("an answer");
    assert_eq!(wrong, Vec::<String>::new());
}

/// Asserts that the pairs of handle and caller are stored, and whether several callers have the
/// handle.
async fn assert_handles(
    conn: &mut PgConnection,
    version: i32,
    tenant_id: TenantId,
    callers: &[PgRow],
) {
    let mut told: BTreeMap<Uuid, BTreeSet<Uuid>> = BTreeMap::new();
    for row in callers {
        let handles: Option<Vec<Uuid>> = row.get("handles");
        for handle in handles.into_iter().flatten() {
            told.entry(handle).or_default().insert(row.get("person_id"));
        }
    }
    let told = told.iter().flat_map(|(handle, people)| {
        people.iter().map(move |person| (*handle, *person, people.len() > 1))
    });
    let kept = rows(conn, version, "caller_handles", tenant_id).await;
    let kept: BTreeSet<(Uuid, Uuid, bool)> = kept
        .iter()
        .map(|row| (row.get("handle_id"), row.get("person_id"), row.get("is_shared")))
        .collect();
    assert_eq!(kept, told.collect());
}

fn kept(row: &PgRow) -> (SumKey, Sum) {
    let dimensions = DIMENSIONS.map(|name| row.get::<String, _>(name));
    let key =
        (row.get("cut"), row.get("grain"), row.get("starts_at"), row.get("is_test"), dimensions);
    let buckets: Vec<i16> = row.get("duration_buckets");
    let counts: Vec<i64> = row.get("duration_counts");
    let measures = MEASURES.map(|name| row.get::<i64, _>(format!("fits_{name}").as_str()));
    let durations = buckets.into_iter().zip(counts).collect();
    (key, Sum { measures, durations, revenue: revenue_of(row) })
}
