//! Bugs in SQL, for the private database of a run. Each stands around the right function, which keeps its name with
//! `_right` behind it, and takes and gives the same.

use sqlx::PgConnection;

/// Commits are confirmed before they are on disk. Killing a process loses nothing that the system was given to write,
/// so what stands in for the missing flush is one that comes late.
pub(super) const NO_SYNC: &[&str] = &[
    "alter database ledger set synchronous_commit = off",
    "alter system set wal_writer_delay = '10s'",
    "select pg_reload_conf()",
];

/// Rows that do not outlive a crash, under a checkpoint that does.
pub(super) const NOT_LOGGED: &[&str] = &["alter table calls_v2.calls set unlogged"];

/// `{right}` is the call of the right function, `{columns}` what it gives.
///
/// Positions come from a sequence of the tenant's, and some batches are rolled back, as they are in the field.
pub(super) const SEQUENCE: &str = "
    begin
      return query select * from {right};
      if random() < 0.15 then
        raise exception 'rolled back' using errcode = '40001';
      end if;
    end";

/// What goes with [`SEQUENCE`]: a sequence for each tenant, and a trigger that numbers.
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

/// What was seen is remembered by the process that saw it.
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

/// Nothing that is tried again is known again.
pub(super) const NEW_ID: &str = "
    begin
      p_event_id := (select array_agg(gen_random_uuid()) from unnest(p_event_id));
      return query select * from {right};
    end";

/// Each caller of a batch gets the answer of the next.
pub(super) const SHIFTED: &str = "
    begin
      return query
        with answers as (
          select a.*, row_number() over (order by a.request) as nth, count(*) over () as many from {right} a)
        select one.request, one.status, other.first_position, other.last_position, one.actual, one.reason
          from answers one join answers other on other.nth = one.nth % one.many + 1;
    end";

/// A repetition is told the place behind the first.
pub(super) const OTHER_POSITION: &str = "
    begin
      return query
        select a.request, a.status, a.first_position + (a.status = 'duplicate')::int,
               a.last_position + (a.status = 'duplicate')::int, a.actual, a.reason from {right} a;
    end";

/// Now and then a batch goes to somebody else's log.
pub(super) const OTHER_TENANT: &str = "
    begin
      if random() < 0.05 then
        p_tenants[1] := (select t.tenant_id from ledger.tenants t
                          where t.tenant_id <> all (p_tenants) order by random() limit 1);
      end if;
      return query select * from {right};
    end";

/// Now and then a batch fails, and the error is swallowed.
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

/// A repetition changes what stands there.
pub(super) const OVERWRITTEN: &str = "
    declare known uuid[];
    begin
      known := (select array_agg(e.event_id) from ledger.events e where e.event_id = any (p_event_id));
      return query select * from {right};
      update ledger.events e set recorded_at = e.recorded_at + interval '1 second'
       where e.event_id = any (known);
    end";

/// The statements that put `body` around `ledger.append`.
///
/// # Errors
/// The database does not answer, or the function is called differently now.
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
