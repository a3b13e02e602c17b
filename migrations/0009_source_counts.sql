-- How many webhooks came to each source and what became of them. The log holds what was recorded;
-- repetitions, telemetry, refusals and failures are facts of the door, and are counted there.
set role ledger_owner;

create table ledger.source_counts (
  tenant_id uuid        not null,
  hour      timestamptz not null,
  source_id uuid        not null,
  kind      text        not null,
  outcome   text        not null,
  reason    text        not null,
  count     bigint      not null,
  last_at   timestamptz not null,
  primary key (tenant_id, hour, source_id, kind, outcome, reason),
  constraint source_counts_hour check (extract(epoch from hour) % 3600 = 0),
  constraint source_counts_outcome
    check (outcome in ('recorded', 'duplicate', 'ignored', 'refused', 'quarantined', 'failed')),
  constraint source_counts_positive check (count > 0)
) with (fillfactor = 70);
comment on table  ledger.source_counts           is 'Webhooks at each source, counted once each. A server adds what it counted about once a second and when it stops; one that is killed loses what it counted since, at most about a second. What a source received is the sum.';
comment on column ledger.source_counts.tenant_id is 'Whose source; nil for a shared one, whosever its messages are.';
comment on column ledger.source_counts.hour      is 'The hour they arrived in, by our clock.';
comment on column ledger.source_counts.source_id is 'The source.';
comment on column ledger.source_counts.kind      is 'The message''s type when it is a known one, else other; unread, unreadable or unproven where none was told or believed.';
comment on column ledger.source_counts.outcome   is 'recorded, duplicate, ignored (telemetry), refused (the sender''s fault), quarantined, failed (ours, or nobody heard the answer).';
comment on column ledger.source_counts.reason    is 'Why not: the code of the refusal, of a closed list; empty where it was taken.';
comment on column ledger.source_counts.count     is 'How many.';
comment on column ledger.source_counts.last_at   is 'When the last of them arrived, by our clock.';

-- Failures are few among the rows, and asked for by themselves.
create index source_counts_not_taken on ledger.source_counts (tenant_id, hour)
  where outcome in ('refused', 'quarantined', 'failed');

create table ledger.count_batches (
  tenant_id  uuid        not null,
  writer_id  uuid        not null,
  batch      bigint      not null,
  written_at timestamptz not null,
  primary key (tenant_id, writer_id)
) with (fillfactor = 50);
comment on table  ledger.count_batches            is 'The last batch of counts each server has added: one whose answer was lost is sent again and added once. Gone after 30 days of silence.';
comment on column ledger.count_batches.tenant_id  is 'The installation (nil).';
comment on column ledger.count_batches.writer_id  is 'The server process.';
comment on column ledger.count_batches.batch      is 'The number of its last batch, from 1.';
comment on column ledger.count_batches.written_at is 'Our clock.';

alter table ledger.source_counts enable row level security;
alter table ledger.source_counts force  row level security;
alter table ledger.count_batches enable row level security;
alter table ledger.count_batches force  row level security;

create policy owner_all on ledger.source_counts to ledger_owner using (true) with check (true);
create policy owner_all on ledger.count_batches to ledger_owner using (true) with check (true);
create policy app_tenant on ledger.source_counts to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
create policy app_tenant on ledger.count_batches to ledger_app using (tenant_id = (select ledger.tenant_in_force()));

grant select on ledger.source_counts, ledger.count_batches to ledger_app;

-- A batch is of many tenants, hence a definer function, which can only add. Rows are locked in one
-- order, so that servers do not wait for each other in a circle.
create function ledger.add_source_counts(
  p_writer  uuid,
  p_batch   bigint,
  p_at      timestamptz,
  p_tenant  uuid[],
  p_hour    timestamptz[],
  p_source  uuid[],
  p_kind    text[],
  p_outcome text[],
  p_reason  text[],
  p_count   bigint[],
  p_last_at timestamptz[]
) returns void
  language sql volatile security definer
  set search_path = pg_catalog, pg_temp
begin atomic
  delete from ledger.count_batches b
   where p_batch = 1 and b.written_at < p_at - interval '30 days';

  with fresh as (
    insert into ledger.count_batches as b (tenant_id, writer_id, batch, written_at)
    values ('00000000-0000-0000-0000-000000000000', p_writer, p_batch, p_at)
    on conflict (tenant_id, writer_id) do update
      set batch = excluded.batch, written_at = excluded.written_at
      where b.batch < excluded.batch
    returning b.batch
  )
  insert into ledger.source_counts as c (tenant_id, hour, source_id, kind, outcome, reason, count, last_at)
  select n.tenant_id, n.hour, n.source_id, n.kind, n.outcome, n.reason, n.count, n.last_at
    from unnest(p_tenant, p_hour, p_source, p_kind, p_outcome, p_reason, p_count, p_last_at)
      as n (tenant_id, hour, source_id, kind, outcome, reason, count, last_at)
   where exists (select from fresh)
   order by n.tenant_id, n.hour, n.source_id, n.kind, n.outcome, n.reason
  on conflict (tenant_id, hour, source_id, kind, outcome, reason) do update
    set count = c.count + excluded.count, last_at = greatest(c.last_at, excluded.last_at);
end;
comment on function ledger.add_source_counts(uuid, bigint, timestamptz, uuid[], timestamptz[], uuid[], text[], text[], text[], bigint[], timestamptz[])
  is 'Adds a server''s batch of counts, once: a batch that is not newer than its last one adds nothing.';
revoke all on function ledger.add_source_counts(uuid, bigint, timestamptz, uuid[], timestamptz[], uuid[], text[], text[], text[], bigint[], timestamptz[]) from public;
grant execute on function ledger.add_source_counts(uuid, bigint, timestamptz, uuid[], timestamptz[], uuid[], text[], text[], text[], bigint[], timestamptz[]) to ledger_app;

reset role;
