-- The engine: versions of read models that are built beside the live one, and events that are parked.
-- Version 1 of "calls" goes: nothing but this migration's own read models follows it.
set role ledger_owner;

drop view read.calls;
drop schema calls_v1 cascade;
delete from projection.checkpoints;

create table projection.versions (
  tenant_id       uuid not null,
  projection      text not null,
  version         int not null,
  shape           int not null,
  state           text not null default 'building',
  promotes_itself boolean not null default true,
  began_at        timestamptz not null default clock_timestamp(),
  indexed_at      timestamptz,
  promoted_at     timestamptz,
  primary key (tenant_id, projection, version),
  constraint versions_state check (state in ('building', 'active', 'previous'))
);
comment on table  projection.versions is 'One row per version of a read model that has a schema.';
comment on column projection.versions.tenant_id is 'Whose rows it holds: nil for every tenant, else the one that is rebuilt alone.';
comment on column projection.versions.projection is 'The read model.';
comment on column projection.versions.version is 'Its version; the rows are in the schema named after both.';
comment on column projection.versions.shape is 'Which tables and which fold it is of. A build fills only its own.';
comment on column projection.versions.state is 'building, active (what read.* shows) or previous (what rollback goes back to).';
comment on column projection.versions.promotes_itself is 'Whether it becomes active as soon as every tenant has caught up.';
comment on column projection.versions.began_at is 'When its filling began.';
comment on column projection.versions.indexed_at is 'When it got its indexes: they are made after the bulk of the rows.';
comment on column projection.versions.promoted_at is 'When it first became active.';

create table projection.parked (
  tenant_id  uuid not null,
  parked_id  uuid not null,
  projection text not null,
  version    int not null,
  key        uuid not null,
  position   bigint not null,
  event_type text not null,
  reason     text not null,
  attempts   int not null default 1,
  parked_at  timestamptz not null default clock_timestamp(),
  primary key (tenant_id, parked_id),
  constraint parked_key unique (tenant_id, projection, version, key)
);
comment on table  projection.parked is 'Events that could not be folded. Their key waits from there on; everything else goes on.';
comment on column projection.parked.tenant_id is 'Whose log.';
comment on column projection.parked.parked_id is 'The entry.';
comment on column projection.parked.projection is 'The read model.';
comment on column projection.parked.version is 'Its version.';
comment on column projection.parked.key is 'What waits: the stream of the event. Its later events wait too.';
comment on column projection.parked.position is 'The event that could not be folded.';
comment on column projection.parked.event_type is 'Its type.';
comment on column projection.parked.reason is 'Why it could not be folded. No personal data.';
comment on column projection.parked.attempts is 'How often it was tried.';
comment on column projection.parked.parked_at is 'When it was parked.';

create table projection.dropped (
  tenant_id  uuid not null,
  projection text not null,
  position   bigint not null,
  reason     text not null,
  dropped_at timestamptz not null,
  primary key (tenant_id, projection, position)
);
comment on table  projection.dropped is 'Events that a read model does without, in every version of it. The log keeps them, and who decided so.';
comment on column projection.dropped.tenant_id is 'Whose log.';
comment on column projection.dropped.projection is 'The read model that does without it.';
comment on column projection.dropped.position is 'The event.';
comment on column projection.dropped.reason is 'Why, as whoever dropped it said.';
comment on column projection.dropped.dropped_at is 'Our clock.';

create schema calls_v2;
comment on schema calls_v2 is 'A version of the read model "calls".';
grant usage on schema calls_v2 to ledger_app, ledger_projector;

create table calls_v2.calls (
  tenant_id               uuid not null,
  call_id                 uuid not null,
  provider                text not null,
  provider_call_id        text not null,
  direction               text,
  status                  text,
  outcome                 text,
  ended_reason            text,
  started_at              timestamptz not null,
  ended_at                timestamptz,
  created_at              timestamptz not null,
  last_recorded_at        timestamptz not null,
  duration_ms             bigint,
  duration_bucket         smallint,
  duration_class          text not null,
  cost_nanos              bigint,
  transport_nanos         bigint not null,
  stt_nanos               bigint not null,
  llm_nanos               bigint not null,
  tts_nanos               bigint not null,
  platform_nanos          bigint not null,
  other_nanos             bigint not null,
  currency                text,
  tools_used              text[] not null,
  tool_calls              int not null,
  agent_id                text,
  phone_number_id         text,
  success                 boolean,
  is_test                 boolean not null,
  is_booked               boolean not null,
  is_transferred          boolean not null,
  user_interruptions      int,
  assistant_interruptions int,
  turn_latency_ms         bigint,
  subject_id              uuid,
  party                   bytea,
  position                bigint not null,
  state                   bytea not null,
  primary key (tenant_id, call_id)
  -- Rows of some two thousand bytes stay in one piece: half of them would go to the TOAST table.
) with (toast_tuple_target = 4096);
-- It is compressed already.
alter table calls_v2.calls alter column state set storage external;
create index calls_by_start     on calls_v2.calls (tenant_id, started_at desc, call_id desc) include (subject_id, is_test);
create index calls_by_creation  on calls_v2.calls (tenant_id, created_at desc, call_id desc);
create index calls_by_subject   on calls_v2.calls (tenant_id, subject_id, started_at desc, call_id desc);
create index calls_by_provider  on calls_v2.calls (tenant_id, provider_call_id);
create index calls_by_agent     on calls_v2.calls (tenant_id, agent_id, started_at desc, call_id desc) include (subject_id, is_test);
create index calls_by_number    on calls_v2.calls (tenant_id, phone_number_id, started_at desc, call_id desc);
create index calls_by_direction on calls_v2.calls (tenant_id, direction, started_at desc, call_id desc) include (subject_id, is_test);
create index calls_by_outcome   on calls_v2.calls (tenant_id, outcome, started_at desc, call_id desc) include (subject_id, is_test);
create index calls_by_reason    on calls_v2.calls (tenant_id, ended_reason, started_at desc, call_id desc) include (subject_id, is_test);
create index calls_by_cost      on calls_v2.calls (tenant_id, cost_nanos);
create index calls_live         on calls_v2.calls (tenant_id, status, started_at desc, call_id desc) where status <> 'ended';
create index calls_tests        on calls_v2.calls (tenant_id, started_at desc, call_id desc) where is_test;
comment on table  calls_v2.calls is 'One row per call: what its events, in any order and any number of times, come to.';
comment on column calls_v2.calls.tenant_id is 'Whose call.';
comment on column calls_v2.calls.call_id is 'The call''s stream.';
comment on column calls_v2.calls.provider is 'The voice platform.';
comment on column calls_v2.calls.provider_call_id is 'Its own id of the call.';
comment on column calls_v2.calls.direction is 'inbound, outbound or web.';
comment on column calls_v2.calls.status is 'queued, ringing, in_progress, forwarding or ended.';
comment on column calls_v2.calls.outcome is 'Our coarse reading of the end reason; null while it has not ended.';
comment on column calls_v2.calls.ended_reason is 'The provider''s own reason.';
comment on column calls_v2.calls.started_at is 'As told, else the earliest time known of it.';
comment on column calls_v2.calls.ended_at is 'As told.';
comment on column calls_v2.calls.created_at is 'The earliest time known of it.';
comment on column calls_v2.calls.last_recorded_at is 'When its latest event was recorded: a call nobody speaks of any more is not live.';
comment on column calls_v2.calls.duration_ms is 'As told.';
comment on column calls_v2.calls.duration_bucket is 'Its place in histograms of durations.';
comment on column calls_v2.calls.duration_class is 'Its coarse class of durations; empty when it is not known.';
comment on column calls_v2.calls.cost_nanos is 'The stated total, 1e-9 of the currency.';
comment on column calls_v2.calls.transport_nanos is 'Telephony.';
comment on column calls_v2.calls.stt_nanos is 'Speech to text.';
comment on column calls_v2.calls.llm_nanos is 'The language model.';
comment on column calls_v2.calls.tts_nanos is 'Text to speech.';
comment on column calls_v2.calls.platform_nanos is 'The platform''s fee.';
comment on column calls_v2.calls.other_nanos is 'What makes the parts add up to the total.';
comment on column calls_v2.calls.currency is 'ISO 4217.';
comment on column calls_v2.calls.tools_used is 'Names, sorted.';
comment on column calls_v2.calls.tool_calls is 'How many tool calls.';
comment on column calls_v2.calls.agent_id is 'The assistant.';
comment on column calls_v2.calls.phone_number_id is 'Our number, by the platform''s id.';
comment on column calls_v2.calls.success is 'The provider''s evaluation.';
comment on column calls_v2.calls.is_test is 'Marked as a test.';
comment on column calls_v2.calls.is_booked is 'An appointment is linked to it.';
comment on column calls_v2.calls.is_transferred is 'It went on to somebody else.';
comment on column calls_v2.calls.user_interruptions is 'How often the person was interrupted.';
comment on column calls_v2.calls.assistant_interruptions is 'How often the assistant was interrupted.';
comment on column calls_v2.calls.turn_latency_ms is 'The average latency of its turns.';
comment on column calls_v2.calls.subject_id is 'The person, or the call''s own subject.';
comment on column calls_v2.calls.party is 'Sealed: copies of the sections that say who was on the line, packed as in the log.';
comment on column calls_v2.calls.position is 'The last event in it.';
comment on column calls_v2.calls.state is 'The fold itself, from which every other column is derived: JSON, a zstd frame over the dictionary of the read model''s shape. No personal data.';

create table calls_v2.call_tools (
  tenant_id  uuid not null,
  call_id    uuid not null,
  tool       text not null,
  started_at timestamptz not null,
  calls      bigint not null,
  subject_id uuid,
  is_test    boolean not null,
  primary key (tenant_id, call_id, tool)
);
create index call_tools_by_tool on calls_v2.call_tools (tenant_id, tool, started_at desc, call_id desc) include (subject_id, is_test);
comment on table  calls_v2.call_tools is 'The tools of each call: pages of the calls that used one, and whose they are.';
comment on column calls_v2.call_tools.tenant_id is 'Whose call.';
comment on column calls_v2.call_tools.call_id is 'The call.';
comment on column calls_v2.call_tools.tool is 'The tool.';
comment on column calls_v2.call_tools.started_at is 'When the call began.';
comment on column calls_v2.call_tools.calls is 'How often the call used it; 0 when a report only names it.';
comment on column calls_v2.call_tools.subject_id is 'The call''s person.';
comment on column calls_v2.call_tools.is_test is 'Whether the call is marked as a test.';

create table calls_v2.callers (
  tenant_id  uuid not null,
  subject_id uuid not null,
  is_test    boolean not null,
  calls      bigint not null,
  primary key (tenant_id, is_test, subject_id)
) with (fillfactor = 85);
comment on table  calls_v2.callers is 'How many calls each person has.';
comment on column calls_v2.callers.tenant_id is 'Whose calls.';
comment on column calls_v2.callers.subject_id is 'The person, or the subject of a call that names none.';
comment on column calls_v2.callers.is_test is 'Calls marked as tests are counted apart.';
comment on column calls_v2.callers.calls is 'How many calls.';

create table calls_v2.call_rollups (
  tenant_id               uuid not null,
  cut                     text not null,
  grain                   text not null,
  starts_at               timestamptz not null,
  agent_id                text not null,
  direction               text not null,
  outcome                 text not null,
  ended_reason            text not null,
  tool                    text not null,
  duration_class          text not null,
  currency                text not null,
  is_test                 boolean not null,
  calls                   bigint not null,
  timed_calls             bigint not null,
  duration_ms             bigint not null,
  cost_nanos              bigint not null,
  transport_nanos         bigint not null,
  stt_nanos               bigint not null,
  llm_nanos               bigint not null,
  tts_nanos               bigint not null,
  platform_nanos          bigint not null,
  other_nanos             bigint not null,
  evaluated               bigint not null,
  successes               bigint not null,
  booked                  bigint not null,
  transfers               bigint not null,
  tool_calls              bigint not null,
  user_interruptions      bigint not null,
  assistant_interruptions bigint not null,
  latency_calls           bigint not null,
  latency_ms              bigint not null,
  duration_buckets        smallint[] not null,
  duration_counts         bigint[] not null,
  primary key (tenant_id, cut, grain, starts_at, is_test, agent_id, direction, outcome, ended_reason, tool, duration_class, currency)
) with (fillfactor = 85);
comment on table  calls_v2.call_rollups is 'Sums over calls that began in an hour, a day or a month: kept as differences of what each call contributes.';
comment on column calls_v2.call_rollups.tenant_id is 'Whose calls.';
comment on column calls_v2.call_rollups.cut is 'Which dimensions are kept apart: total (none), agent, tool, duration, or full (agent, direction, outcome, ended reason). The others are empty.';
comment on column calls_v2.call_rollups.grain is 'hour, day or month, in the tenant''s time zone. By tool and by duration class, only days and months.';
comment on column calls_v2.call_rollups.starts_at is 'When that hour, day or month begins.';
comment on column calls_v2.call_rollups.agent_id is 'The assistant; empty when it is not known.';
comment on column calls_v2.call_rollups.direction is 'inbound, outbound or web; empty when it is not known.';
comment on column calls_v2.call_rollups.outcome is 'How the calls came out; empty while they have not ended.';
comment on column calls_v2.call_rollups.ended_reason is 'The provider''s own reason; empty when it told none.';
comment on column calls_v2.call_rollups.tool is 'A tool the calls used.';
comment on column calls_v2.call_rollups.duration_class is 'A coarse class of durations; empty when it is not known.';
comment on column calls_v2.call_rollups.currency is 'ISO 4217; empty for calls whose cost is not known.';
comment on column calls_v2.call_rollups.is_test is 'Calls marked as tests are counted apart.';
comment on column calls_v2.call_rollups.calls is 'How many.';
comment on column calls_v2.call_rollups.timed_calls is 'Those whose duration is known.';
comment on column calls_v2.call_rollups.duration_ms is 'Their durations together.';
comment on column calls_v2.call_rollups.cost_nanos is 'The stated totals together, 1e-9 of the currency.';
comment on column calls_v2.call_rollups.transport_nanos is 'Telephony.';
comment on column calls_v2.call_rollups.stt_nanos is 'Speech to text.';
comment on column calls_v2.call_rollups.llm_nanos is 'The language model.';
comment on column calls_v2.call_rollups.tts_nanos is 'Text to speech.';
comment on column calls_v2.call_rollups.platform_nanos is 'The platforms'' fees.';
comment on column calls_v2.call_rollups.other_nanos is 'What makes the parts add up to the totals.';
comment on column calls_v2.call_rollups.evaluated is 'Those the provider judged.';
comment on column calls_v2.call_rollups.successes is 'Those it judged a success.';
comment on column calls_v2.call_rollups.booked is 'Those an appointment is linked to.';
comment on column calls_v2.call_rollups.transfers is 'Those that went on to somebody else.';
comment on column calls_v2.call_rollups.tool_calls is 'Tool calls together; in the cut by tool, those of the tool.';
comment on column calls_v2.call_rollups.user_interruptions is 'How often people were interrupted.';
comment on column calls_v2.call_rollups.assistant_interruptions is 'How often the assistant was interrupted.';
comment on column calls_v2.call_rollups.latency_calls is 'Calls whose turn latency is known.';
comment on column calls_v2.call_rollups.latency_ms is 'Their average turn latencies together.';
comment on column calls_v2.call_rollups.duration_buckets is 'The histogram of durations: which buckets have calls, ascending.';
comment on column calls_v2.call_rollups.duration_counts is 'How many calls each of these buckets has.';

create schema usage_v1;
comment on schema usage_v1 is 'A version of the read model "usage".';
grant usage on schema usage_v1 to ledger_app, ledger_projector;

create table usage_v1.usage (
  tenant_id  uuid not null,
  month      date not null,
  event_type text not null,
  events     bigint not null,
  primary key (tenant_id, month, event_type)
) with (fillfactor = 70);
comment on table  usage_v1.usage is 'Recorded events per billing month and type.';
comment on column usage_v1.usage.tenant_id is 'Whose log.';
comment on column usage_v1.usage.month is 'The first day of the billing month, in the tenant''s time zone, by our clock.';
comment on column usage_v1.usage.event_type is 'The type.';
comment on column usage_v1.usage.events is 'How many were recorded.';

-- A table of a read model, or of the engine: a tenant sees its own rows, the projector writes all.
create function projection.secure(p_table regclass) returns void
  language plpgsql as $$
begin
  execute format('alter table %s enable row level security', p_table);
  execute format('alter table %s force row level security', p_table);
  execute format('create policy owner_all on %s to ledger_owner using (true) with check (true)', p_table);
  execute format('create policy projector_all on %s to ledger_projector using (true) with check (true)', p_table);
  execute format('create policy app_tenant on %s to ledger_app using (tenant_id = (select ledger.tenant_in_force()))', p_table);
  execute format('grant select on %s to ledger_app', p_table);
  execute format('grant select, insert, update, delete on %s to ledger_projector', p_table);
end
$$;
comment on function projection.secure(regclass) is 'Gives a table its row security and rights.';

select projection.secure(t::regclass)
  from unnest(array['projection.versions', 'projection.parked', 'projection.dropped',
                    'calls_v2.calls', 'calls_v2.call_tools', 'calls_v2.callers',
                    'calls_v2.call_rollups', 'usage_v1.usage']) as t;

-- A new version: the tables of another, empty, with their keys. The other indexes come after the bulk of the rows.
create function projection.create_version(p_projection text, p_from int, p_to int) returns void
  language plpgsql as $$
declare
  v_from text := p_projection || '_v' || p_from;
  v_to   text := p_projection || '_v' || p_to;
  v_table record;
  v_part  text;
begin
  execute format('create schema %I', v_to);
  execute format('comment on schema %I is %L', v_to, format('A version of the read model "%s".', p_projection));
  execute format('grant usage on schema %I to ledger_projector', v_to);
  for v_table in
    select c.oid, c.relname, c.reloptions, obj_description(c.oid, 'pg_class') as said
      from pg_class c
     where c.relnamespace = to_regnamespace(v_from) and c.relkind = 'r'
     order by c.relname
  loop
    execute format('create table %I.%I (like %I.%I including all excluding indexes)%s',
                   v_to, v_table.relname, v_from, v_table.relname,
                   coalesce(' with (' || array_to_string(v_table.reloptions, ', ') || ')', ''));
    execute format('comment on table %I.%I is %L', v_to, v_table.relname, v_table.said);
    for v_part in
      select format('alter table %I.%I add constraint %I %s',
                    v_to, v_table.relname, k.conname, pg_get_constraintdef(k.oid))
        from pg_constraint k
       where k.conrelid = v_table.oid and k.contype in ('p', 'u')
    loop
      execute v_part;
    end loop;
    -- Row security would forbid COPY, so it comes with the indexes. Until then nobody else may look.
    execute format('grant select, insert, update, delete on %I.%I to ledger_projector', v_to, v_table.relname);
  end loop;
end
$$;
comment on function projection.create_version(text, int, int) is 'Makes the empty tables of a version after those of another.';

create function projection.finish_version(p_projection text, p_from int, p_to int) returns void
  language plpgsql as $$
declare
  v_from  text := p_projection || '_v' || p_from;
  v_to    text := p_projection || '_v' || p_to;
  v_index text;
begin
  for v_index in
    select replace(pg_get_indexdef(x.indexrelid), format(' ON %I.', v_from), format(' ON %I.', v_to))
      from pg_index x
      join pg_class i on i.oid = x.indexrelid
     where i.relnamespace = to_regnamespace(v_from)
       and not exists (select from pg_class o
                        where o.relnamespace = to_regnamespace(v_to) and o.relname = i.relname)
     order by i.relname
  loop
    execute v_index;
  end loop;
  perform projection.secure(c.oid::regclass)
     from pg_class c
    where c.relnamespace = to_regnamespace(v_to) and c.relkind = 'r' and not c.relrowsecurity;
  execute format('grant usage on schema %I to ledger_app', v_to);
end
$$;
comment on function projection.finish_version(text, int, int) is 'Gives a filled version the indexes of another, and the row security that it needs to be shown.';

-- What read.* shows: for each table of a version a view, and for all of them how far they are.
create function projection.show_version(p_projection text, p_version int) returns void
  language plpgsql as $$
declare
  v_schema text := p_projection || '_v' || p_version;
  v_table  text;
begin
  -- First what readers read first: once they are let out of it, none of them holds anything we want.
  execute (
    select 'create or replace view read.positions with (security_invoker = true) as '
           || string_agg(format(
                'select tenant_id, projection, version, position from projection.checkpoints where projection = %L and version = %s',
                v.projection, v.version), ' union all ' order by v.projection)
      from projection.versions v
     where v.state = 'active');
  comment on view read.positions is 'How far the active version of each read model is.';
  grant select on read.positions to ledger_app, ledger_projector;
  for v_table in
    select c.relname from pg_class c
     where c.relnamespace = to_regnamespace(v_schema) and c.relkind = 'r'
     order by c.relname
  loop
    execute format('create or replace view read.%I with (security_invoker = true) as select * from %I.%I',
                   v_table, v_schema, v_table);
    execute format('comment on view read.%I is %L', v_table,
                   format('The active version of "%s".', v_table));
    execute format('grant select on read.%I to ledger_app, ledger_projector', v_table);
  end loop;
end
$$;
comment on function projection.show_version(text, int) is 'Points the views of a read model to a version, which is marked active.';

insert into projection.versions (tenant_id, projection, version, shape, state, indexed_at, promoted_at)
values ('00000000-0000-0000-0000-000000000000', 'calls', 2, 2, 'active', clock_timestamp(), clock_timestamp()),
       ('00000000-0000-0000-0000-000000000000', 'usage', 1, 1, 'active', clock_timestamp(), clock_timestamp());
select projection.show_version('calls', 2), projection.show_version('usage', 1);

revoke all on function projection.secure(regclass) from public;
revoke all on function projection.create_version(text, int, int) from public;
revoke all on function projection.finish_version(text, int, int) from public;
revoke all on function projection.show_version(text, int) from public;

create view read.tools with (security_invoker = true) as
  select * from read.call_rollups where cut = 'tool';
comment on view read.tools is 'Sums over the calls that used each tool.';
create view read.agents with (security_invoker = true) as
  select * from read.call_rollups where cut = 'agent';
comment on view read.agents is 'Sums over the calls of each assistant.';
create view read.active_calls with (security_invoker = true) as
  select tenant_id, call_id, status, started_at, last_recorded_at, agent_id, direction, is_test
    from read.calls where status <> 'ended';
comment on view read.active_calls is 'Calls whose end was not told. Whoever reads decides how long a silent one is live.';
grant select on read.tools, read.agents, read.active_calls to ledger_app, ledger_projector;

reset role;
