//! Bugs in SQL, for the private database of a run. Each wraps the correct function, which is
//! renamed to end in `_right`; arguments and results stay the same.

use sqlx::PgConnection;

/// Confirms commits before they are on disk. A killed process loses nothing that the kernel has
/// buffered, so the missing flush is simulated by a late one.
pub(super) const NO_SYNC: &[&str] = &[
    "alter database ledger set synchronous_commit = off",
    "alter system set wal_writer_delay = '10s'",
    "select pg_reload_conf()",
];

/// Makes rows that a crash deletes while the checkpoint survives.
pub(super) const NOT_LOGGED: &[&str] = &["alter table calls_v2.calls set unlogged"];

/// Assigns positions from a sequence per tenant and rolls some batches back, as happens in
/// production.
///
/// In the templates, `{right}` is the call of the correct function and `{columns}` its result
/// columns.
pub(super) const SEQUENCE: &str = "
    begin
      return query select * from {right};
      if random() < 0.15 then
        raise exception 'rolled back' using errcode = '40001';
      end if;
    end";

/// Set-up for [`SEQUENCE`]: a sequence for each tenant, and a trigger that assigns the numbers.
const NUMBERING: &str = "
    do $plant$ declare one record; begin
      for one in select t.tenant_id, max(e.position) as head
                   from ledger.tenants t join ledger.events e using (tenant_id) group by 1 loop
        execute format('create sequence ledger.%I start %s', 'plant_' || one.tenant_id, one.head + 1);
      end loop;
    end $plant$;
    create function ledger.plant_number() returns trigger language plpgsql as $plant$
    begin
      new.position := nextval(format('ledger.%I', 'plant_' || new.tenant_id));
      return new;
    end $plant$;
    create trigger plant_number before insert on ledger.events
      for each row execute function ledger.plant_number();";

/// Recognises a repetition only within the session that stored the event.
pub(super) const MEMORY: &str = "
    begin
      create temp table if not exists plant_memory (event_id uuid primary key, known_as uuid);
      insert into pg_temp.plant_memory
        select id, gen_random_uuid() from unnest(p_event_id) id on conflict do nothing;
      p_event_id := (select array_agg(m.known_as order by e.nth)
                       from unnest(p_event_id) with ordinality e (id, nth)
                       join pg_temp.plant_memory m on m.event_id = e.id);
      return query select * from {right};
    end";

/// Makes every retry a new event id, so that no repetition is recognised.
pub(super) const NEW_ID: &str = "
    begin
      p_event_id := (select array_agg(gen_random_uuid()) from unnest(p_event_id));
      return query select * from {right};
    end";

/// Returns to each request of a batch the result of the next one.
pub(super) const SHIFTED: &str = "
    begin
      return query
        with answers as (
          select a.*, row_number() over (order by a.request) as nth, count(*) over () as many from {right} a)
        select one.request, one.status, other.first_position, other.last_position, one.actual, one.reason
          from answers one join answers other on other.nth = one.nth % one.many + 1;
    end";

/// Returns to a repetition the position after the correct one.
pub(super) const OTHER_POSITION: &str = "
    begin
      return query
        select a.request, a.status, a.first_position + (a.status = 'duplicate')::int,
               a.last_position + (a.status = 'duplicate')::int, a.actual, a.reason from {right} a;
    end";

/// Appends an occasional batch to the log of another tenant.
pub(super) const OTHER_TENANT: &str = "
    begin
      if random() < 0.05 then
        p_tenants[1] := (select t.tenant_id from ledger.tenants t
                          where t.tenant_id <> all (p_tenants) order by random() limit 1);
      end if;
      return query select * from {right};
    end";

/// Rolls an occasional batch back and hides the error.
pub(super) const ROLLED_BACK: &str = "
    declare answers ledger.plant_answer[];
    begin
      begin
        select array_agg(row ({columns})::ledger.plant_answer) into answers from {right} a;
        if random() < 0.1 then
          raise exception 'it failed' using errcode = 'LG999';
        end if;
      exception when sqlstate 'LG999' then null;
      end;
      return query select * from unnest(answers);
    end";

/// Changes the stored event when a repetition arrives.
pub(super) const OVERWRITTEN: &str = "
    declare known uuid[];
    begin
      known := (select array_agg(e.event_id) from ledger.events e where e.event_id = any (p_event_id));
      return query select * from {right};
      update ledger.events e set recorded_at = e.recorded_at + interval '1 second'
       where e.event_id = any (known);
    end";

/// Returns the statements that wrap `ledger.append` in `body`.
///
/// # Errors
/// If the database does not answer, or the signature of the function is unexpected.
pub(super) async fn wrapper(conn: &mut PgConnection, body: &str) -> anyhow::Result<String> {
    let (arguments, result, names): (String, String, Vec<String>) = sqlx::query_as(
        "select pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.proargnames
           from pg_proc p where p.oid = 'ledger.append'::regproc",
    )
    .fetch_one(conn)
    .await?;
    let (taken, given): (Vec<&str>, Vec<&str>) =
        names.iter().map(String::as_str).partition(|name| name.starts_with("p_"));
    for needed in ["p_event_id", "p_tenants"] {
        anyhow::ensure!(taken.contains(&needed), "ledger.append takes no {needed} any more");
    }
    let right = format!("ledger.append_right({})", taken.join(", "));
    let columns = given.iter().map(|name| format!("a.{name}")).collect::<Vec<_>>().join(", ");
    let is_numbered = body == SEQUENCE;
    let body = body.replace("{right}", &right).replace("{columns}", &columns);
    let answer = result.trim_start_matches("TABLE");
    let before = if is_numbered { NUMBERING } else { "" };
    Ok(format!(
        "set local role ledger_owner;
         {before}
         create type ledger.plant_answer as {answer};
         drop trigger if exists immutable on ledger.events;
         alter function ledger.append rename to append_right;
         create function ledger.append({arguments}) returns {result}
           language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $plant$
         #variable_conflict use_column
         {body}
         $plant$;
         revoke all on function ledger.append from public;
         grant execute on function ledger.append to ledger_app;"
    ))
}
