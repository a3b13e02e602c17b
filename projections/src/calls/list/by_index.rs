//! A page of the calls of a key in an index table: of a tool in `read.call_tools`, or of a tag in
//! `read.call_tags`.
//!
//! The statement starts from the index table, which is in page order, so a key with few calls or none
//! is as fast as one with a million.

use ledger_store::TenantTx;
use ledger_store::read::{Page, PageSize, page_of};

use super::statement::calls_page;
use super::{After, CallFilter, StoredCall, carrier_call_ids};

/// Builds the statement of a page of the calls of `$value` in the column `$key` of `$table`. With `$tag`
/// the calls have that tag as well.
macro_rules! indexed_page {
    ($table:tt, $key:tt, $value:expr, $tag:expr, ($tenant_id:expr, $filter:expr, $after:expr, $size:expr)) => {
        calls_page!(
            from: (r#"
          from "# + $table + r#" t
         cross join lateral (
           select call_id, started_at, state, party, carrier_call_id, appointment_id,
                  appointment_scheduled_at, appointment_status, appointment_service
             from read.calls
            where tenant_id = $1 and call_id = t.call_id
              and ($25::uuid[] is null
                   or exists (select from read.call_handles h
                               where h.tenant_id = $1 and h.handle_id = any ($25)
                                 and h.call_id = t.call_id))
              and ($26::uuid[] is null
                   or exists (select from read.call_handles h
                               where h.tenant_id = $1 and h.handle_id = any ($26)
                                 and h.call_id = t.call_id))
              and ($27::text is null
                   or exists (select from read.call_tags g
                               where g.tenant_id = $1 and g.tag = $27 and g.call_id = t.call_id))
            "#),
            order: (r#"
           offset 0) c
          left join lateral (
           select state from read.carrier_calls
            where tenant_id = $1 and call_id = c.carrier_call_id
           offset 0) k on true
         where t.tenant_id = $1 and t."# + $key + r#" = $24
           and ($2::timestamptz is null or t.started_at >= $2)
           and ($3::timestamptz is null or t.started_at < $3)
           and ($13::timestamptz is null or (t.started_at, t.call_id) < ($13, $14::uuid))
         order by t.started_at desc, t.call_id desc
         limit $15
            "#),
            ($tenant_id, $filter, $after, $size),
            $value,
            $filter.phone.as_deref(),
            $filter.email.as_deref(),
            $tag,
        )
    };
}

/// Lists the calls that used a tool.
pub(super) async fn of_tool(
    tx: &mut TenantTx,
    filter: &CallFilter,
    tool: &str,
    after: Option<After>,
    size: PageSize,
) -> sqlx::Result<Page<StoredCall>> {
    let tenant_id = tx.tenant_id();
    let rows = indexed_page!(
        "read.call_tools",
        "tool",
        tool,
        filter.tag,
        (tenant_id, filter, after, size)
    );
    page_of(rows.fetch(tx.conn()), size, StoredCall::weight).await
}

/// Lists the calls with a tag.
pub(super) async fn of_tag(
    tx: &mut TenantTx,
    filter: &CallFilter,
    tag: &str,
    after: Option<After>,
    size: PageSize,
) -> sqlx::Result<Page<StoredCall>> {
    let tenant_id = tx.tenant_id();
    let rows =
        indexed_page!("read.call_tags", "tag", tag, None::<&str>, (tenant_id, filter, after, size));
    page_of(rows.fetch(tx.conn()), size, StoredCall::weight).await
}
