-- A filter by number or address finds each call that states it, in any order of arrival: "call_handles" has the
-- handles of all messages of a call. A call that a platform and its carrier report is one record: the carrier's call
-- is a part of the platform's call, and its row is in "carrier_calls". Shape 4, for every version there is; the read
-- model is folded again from the log.
set role ledger_owner;

do $$
declare
  v_schema text;
begin
  for v_schema in
    select nspname from pg_namespace where nspname ~ '^calls_v[0-9]+$' order by nspname
  loop
    execute format('truncate %1$I.calls, %1$I.call_tools, %1$I.callers, %1$I.caller_handles, %1$I.call_rollups', v_schema);
    execute format('alter table %I.calls add column carrier_call_id uuid', v_schema);
    execute format($c$comment on column %I.calls.carrier_call_id is 'Id of the carrier''s call that the platform states; the carrier may not have reported it.'$c$, v_schema);
    execute format($c$comment on column %I.calls.phone_id is 'Handle of the shown number or SIP address. The previous release filters by it; call_handles has all handles.'$c$, v_schema);
    execute format($c$comment on column %I.calls.email_id is 'Handle of the shown e-mail address. The previous release filters by it.'$c$, v_schema);
    execute format($c$comment on table %I.calls is 'One row per record of a call: what its events, in any order and any number of times, come to.'$c$, v_schema);

    execute format('create table %1$I.carrier_calls (like %1$I.calls including storage including comments, primary key (tenant_id, call_id))
                      with (toast_tuple_target = 4096)', v_schema);
    execute format($c$comment on table %I.carrier_calls is 'Calls of a telephone carrier that the call of a platform names: parts of that record. They count in no sum.'$c$, v_schema);
    perform projection.secure(format('%I.carrier_calls', v_schema)::regclass);

    execute format('create table %I.call_carriers (
                      tenant_id       uuid not null,
                      carrier_call_id uuid not null,
                      call_id         uuid not null,
                      primary key (tenant_id, carrier_call_id, call_id))', v_schema);
    execute format($c$comment on table  %I.call_carriers is 'The calls of platforms that name a call of a carrier.'$c$, v_schema);
    execute format($c$comment on column %I.call_carriers.tenant_id is 'Tenant of the calls.'$c$, v_schema);
    execute format($c$comment on column %I.call_carriers.carrier_call_id is 'The carrier''s call, reported or not.'$c$, v_schema);
    execute format($c$comment on column %I.call_carriers.call_id is 'The platform''s call.'$c$, v_schema);
    perform projection.secure(format('%I.call_carriers', v_schema)::regclass);

    execute format('create table %I.call_handles (
                      tenant_id  uuid        not null,
                      handle_id  uuid        not null,
                      call_id    uuid        not null,
                      started_at timestamptz not null,
                      primary key (tenant_id, handle_id, call_id))', v_schema);
    execute format('create index call_handles_by_start on %I.call_handles (tenant_id, handle_id, started_at desc, call_id desc)', v_schema);
    execute format($c$comment on table  %I.call_handles is 'The handles of each record: numbers, SIP addresses and e-mail addresses that any of its messages states.'$c$, v_schema);
    execute format($c$comment on column %I.call_handles.tenant_id is 'Tenant of the calls.'$c$, v_schema);
    execute format($c$comment on column %I.call_handles.handle_id is 'The handle; for a message recorded before handles had ids, its contact.'$c$, v_schema);
    execute format($c$comment on column %I.call_handles.call_id is 'The record.'$c$, v_schema);
    execute format($c$comment on column %I.call_handles.started_at is 'Start of the record.'$c$, v_schema);
    perform projection.secure(format('%I.call_handles', v_schema)::regclass);
  end loop;
end
$$;
update projection.versions set shape = 4 where projection = 'calls';
delete from projection.checkpoints where projection = 'calls';
delete from projection.parked where projection = 'calls';
select projection.show_version('calls', version)
  from projection.versions
 where projection = 'calls' and state = 'active' and tenant_id = '00000000-0000-0000-0000-000000000000';

reset role;
