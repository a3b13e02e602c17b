-- Routes with a validity period: an id that passes to another tenant routes each message by the time of its receipt; see
-- docs/decisions/0028-command-path.md.
set role ledger_owner;

alter table ledger.source_routes
  add column route_id    uuid not null default gen_random_uuid(),
  add column valid_from  timestamptz,
  add column valid_until timestamptz,
  drop constraint source_routes_pkey,
  add constraint source_routes_pkey primary key (tenant_id, route_id),
  -- Equal for a route that was cancelled before it began: no message matches it.
  add constraint source_routes_period check (valid_from <= valid_until);
comment on column ledger.source_routes.route_id    is 'Id of the route; the events of the route name it instead of the value.';
comment on column ledger.source_routes.valid_from  is 'First time at which a received message matches; null for no limit.';
comment on column ledger.source_routes.valid_until is 'First time at which a received message no longer matches; null for no limit.';

create function ledger.find_routes_at(
  p_source_id uuid, p_assistant_id text, p_phone_number_id text, p_phone_number text, p_at timestamptz
) returns table (tenant_id uuid)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
begin atomic
  select distinct r.tenant_id
    from ledger.source_routes r
   where r.source_id = p_source_id
     and ((r.kind = 'assistant_id'    and r.value = p_assistant_id)
       or (r.kind = 'phone_number_id' and r.value = p_phone_number_id)
       or (r.kind = 'phone_number'    and r.value = p_phone_number))
     and (r.valid_from is null or r.valid_from <= p_at)
     and (r.valid_until is null or p_at < r.valid_until);
end;
comment on function ledger.find_routes_at(uuid, text, text, text, timestamptz) is
  'The tenants with a route for any of these ids at a shared source that is valid at a time.';
revoke all on function ledger.find_routes_at(uuid, text, text, text, timestamptz) from public;
grant execute on function ledger.find_routes_at(uuid, text, text, text, timestamptz) to ledger_app;

-- Servers of the previous release pass no time.
create or replace function ledger.find_routes(
  p_source_id uuid, p_assistant_id text, p_phone_number_id text, p_phone_number text
) returns table (tenant_id uuid)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
begin atomic
  select r.tenant_id
    from ledger.find_routes_at(p_source_id, p_assistant_id, p_phone_number_id, p_phone_number, statement_timestamp()) r;
end;
comment on function ledger.find_routes(uuid, text, text, text) is
  'ledger.find_routes_at at the current time, for servers of the previous release.';

reset role;
