-- A time that never runs back along a tenant's log, for what is asked by time of recording: servers read
-- their clocks before they seal and append, so times of recording are not in the order of positions.
set role ledger_owner;

create table projection.marks (
  tenant_id  uuid        not null,
  updated_at timestamptz not null,
  position   bigint      not null,
  primary key (tenant_id, updated_at)
);
create index marks_by_position on projection.marks (tenant_id, position desc);
comment on table  projection.marks            is 'The log''s own time at some positions of each log: from the nearest one, that of any position is computed.';
comment on column projection.marks.tenant_id  is 'Whose log.';
comment on column projection.marks.updated_at is 'The log''s own time there: whole milliseconds, at each position later than at the one before it, and not before anything recorded until there.';
comment on column projection.marks.position   is 'The position.';

select projection.secure('projection.marks');

-- Rows of calls carry that time, and are found by it; tool calls are folded otherwise: shape 3, for every
-- version there is. It is folded anew from the log.
do $$
declare
  v_schema text;
begin
  for v_schema in
    select nspname from pg_namespace where nspname ~ '^calls_v[0-9]+$' order by nspname
  loop
    execute format('truncate %1$I.calls, %1$I.call_tools, %1$I.callers, %1$I.call_rollups', v_schema);
    execute format('create index calls_by_update on %I.calls (tenant_id, last_recorded_at)', v_schema);
    execute format($c$comment on column %I.calls.last_recorded_at is 'When its latest event was recorded, by the log''s own time: a call that changes later has a later one than any call before.'$c$, v_schema);
  end loop;
end
$$;
update projection.versions set shape = 3 where projection = 'calls';
delete from projection.checkpoints where projection = 'calls';
delete from projection.parked where projection = 'calls';

reset role;
