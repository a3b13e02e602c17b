-- Sums over calls become numeric, which no number of calls overflows, and the read model "calls" is folded anew: the
-- fold no longer takes values that no call can have, and keys that such values had parked go on.
-- What is shown grows again from the log; the log itself is not touched.
set role ledger_owner;

comment on column ledger.tenants.country is 'ISO 3166-1 alpha-2: national phone numbers are read in it. Empty: only international numbers are numbers.';

drop view read.tools, read.agents, read.call_rollups;

do $$
declare
  v_version projection.versions;
  v_schema  text;
  v_name    text;
begin
  for v_version in select * from projection.versions where projection = 'calls' loop
    v_schema := 'calls_v' || v_version.version;
    if v_version.state <> 'active' or v_version.tenant_id <> '00000000-0000-0000-0000-000000000000' then
      execute format('drop schema if exists %I cascade', v_schema);
      delete from projection.versions v
       where v.projection = 'calls' and v.version = v_version.version and v.tenant_id = v_version.tenant_id;
      continue;
    end if;
    for v_name in
      select c.relname from pg_class c
       where c.relnamespace = to_regnamespace(v_schema) and c.relkind = 'r'
    loop
      execute format('truncate %I.%I', v_schema, v_name);
    end loop;
    foreach v_name in array array['duration_ms', 'cost_nanos', 'transport_nanos', 'stt_nanos', 'llm_nanos',
                                  'tts_nanos', 'platform_nanos', 'other_nanos', 'latency_ms'] loop
      execute format('alter table %I.call_rollups alter column %I type numeric', v_schema, v_name);
    end loop;
  end loop;
end
$$;

delete from projection.checkpoints where projection = 'calls';
delete from projection.parked where projection = 'calls';
update projection.versions set shape = 3 where projection = 'calls';

select projection.show_version('calls', version) from projection.versions where projection = 'calls' and state = 'active';
create view read.tools with (security_invoker = true) as
  select * from read.call_rollups where cut = 'tool';
comment on view read.tools is 'Sums over the calls that used each tool.';
create view read.agents with (security_invoker = true) as
  select * from read.call_rollups where cut = 'agent';
comment on view read.agents is 'Sums over the calls of each assistant.';
grant select on read.tools, read.agents to ledger_app, ledger_projector;

reset role;
