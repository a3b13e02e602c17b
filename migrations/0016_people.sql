-- The count of people does not depend on the order of arrival: "callers" has each combination of handles and
-- name once, "caller_handles" the combinations of each handle. Shape 3, for every version there is; the read
-- model is folded again from the log.
set role ledger_owner;

do $$
declare
  v_schema text;
begin
  for v_schema in
    select nspname from pg_namespace where nspname ~ '^calls_v[0-9]+$' order by nspname
  loop
    execute format('truncate %1$I.calls, %1$I.call_tools, %1$I.callers, %1$I.call_rollups', v_schema);
    execute format('alter table %I.callers add column handles uuid[], add column holders uuid[],
                    add column has_external_id boolean not null default false', v_schema);
    execute format($c$comment on table  %I.callers is 'Each combination of handles and name that calls carry, once.'$c$, v_schema);
    execute format($c$comment on column %I.callers.person_id is 'The id of the combination: a handle alone, a hash of handles and name, or the subject of a call without handles.'$c$, v_schema);
    execute format($c$comment on column %I.callers.calls is 'How many calls carry it.'$c$, v_schema);
    execute format($c$comment on column %I.callers.handles is 'The handles, strongest first; null when the calls have none by id.'$c$, v_schema);
    execute format($c$comment on column %I.callers.holders is 'With a name: for each handle the first contact with the handle and this name. Null without a name.'$c$, v_schema);
    execute format($c$comment on column %I.callers.has_external_id is 'The first handle is an external id.'$c$, v_schema);
    execute format($c$comment on column %I.calls.person_id is 'The combination of handles and name: a row of callers.'$c$, v_schema);
    execute format($c$comment on column %I.call_tools.person_id is 'The combination of handles and name of the call: a row of callers.'$c$, v_schema);
    execute format('drop index if exists %I.calls_by_handle', v_schema);
    execute format('create table %I.caller_handles (
                      tenant_id uuid    not null,
                      handle_id uuid    not null,
                      person_id uuid    not null,
                      is_shared boolean not null,
                      primary key (tenant_id, handle_id, person_id))', v_schema);
    execute format('create index caller_handles_shared on %I.caller_handles (tenant_id, person_id) where is_shared', v_schema);
    execute format($c$comment on table  %I.caller_handles is 'The combinations of callers that have a handle.'$c$, v_schema);
    execute format($c$comment on column %I.caller_handles.tenant_id is 'Whose calls.'$c$, v_schema);
    execute format($c$comment on column %I.caller_handles.handle_id is 'The handle.'$c$, v_schema);
    execute format($c$comment on column %I.caller_handles.person_id is 'The combination.'$c$, v_schema);
    execute format($c$comment on column %I.caller_handles.is_shared is 'Another combination has the handle too.'$c$, v_schema);
    perform projection.secure(format('%I.caller_handles', v_schema)::regclass);
  end loop;
end
$$;
update projection.versions set shape = 3 where projection = 'calls';
delete from projection.checkpoints where projection = 'calls';
delete from projection.parked where projection = 'calls';
select projection.show_version('calls', version)
  from projection.versions
 where projection = 'calls' and state = 'active' and tenant_id = '00000000-0000-0000-0000-000000000000';

reset role;
