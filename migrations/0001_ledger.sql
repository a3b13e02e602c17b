-- The event log, and what decides who may write to it and read it.
-- Roles: an owner that cannot log in, the application, the projector. None bypasses row security.
do $$
declare
  r text;
begin
  foreach r in array array['ledger_owner', 'ledger_app', 'ledger_projector'] loop
    begin
      if not exists (select from pg_roles where rolname = r) then
        execute format('create role %I nologin', r);
      end if;
    exception when duplicate_object or unique_violation then
      null; -- another database of the cluster is being migrated at the same time
    end;
    if not pg_has_role(current_user, r, 'usage') then
      execute format('grant %I to %I', r, current_user);
    end if;
  end loop;
  execute format('grant create on database %I to ledger_owner', current_database());
end
$$;

set role ledger_owner;

create schema ledger;
comment on schema ledger is 'The event log: only ledger-store knows its tables.';
grant usage on schema ledger to ledger_app, ledger_projector;

-- The one policy shape of the application: the transaction names its tenant, or sees nothing.
-- An empty setting is what a pooled connection is left with, so it counts as unset.
create function ledger.tenant_in_force() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('ledger.tenant_id', true), '')::uuid;
comment on function ledger.tenant_in_force() is 'The tenant this transaction was begun for; null when none was named.';

create table ledger.tenants (
  tenant_id  uuid        primary key,
  slug       text        not null,
  name       text        not null,
  timezone   text        not null,
  country    text        not null,
  state      text        not null default 'active',
  created_at timestamptz not null,
  constraint tenants_slug unique (slug),
  constraint tenants_state check (state in ('active', 'frozen', 'closed'))
) with (fillfactor = 50);
comment on table  ledger.tenants            is 'One row per tenant. Every append locks its row and never updates it, so the row stays lean under load.';
comment on column ledger.tenants.tenant_id  is 'The tenant.';
comment on column ledger.tenants.slug       is 'Short name for the command line, unique in the installation.';
comment on column ledger.tenants.name       is 'Name of the business (not of a person).';
comment on column ledger.tenants.timezone   is 'IANA time zone its days are counted in.';
comment on column ledger.tenants.country    is 'ISO 3166-1 alpha-2: national phone numbers are read in it.';
comment on column ledger.tenants.state      is 'Only active tenants append.';
comment on column ledger.tenants.created_at is 'Our clock.';

create table ledger.events (
  tenant_id      uuid        not null,
  position       bigint      not null,
  stream_id      uuid        not null,
  stream_kind    text        not null,
  stream_version bigint      not null,
  event_id       uuid        not null,
  event_type     text        not null,
  schema_version smallint    not null,
  occurred_at    timestamptz not null,
  recorded_at    timestamptz not null,
  facts          json        not null,
  sections       bytea,
  bulk           bytea,
  subjects       uuid[],
  meta           json        not null,
  leaf_hash      bytea       not null,
  primary key (tenant_id, position),
  constraint events_stream unique (tenant_id, stream_id, stream_version),
  constraint events_id unique (tenant_id, event_id),
  constraint events_position_from_one check (position > 0),
  constraint events_version_from_one check (stream_version > 0),
  constraint events_leaf_hash_sha256 check (length(leaf_hash) = 32)
);
comment on table  ledger.events                is 'The log: inserted by ledger.append, never changed. Each tenant is its own ledger.';
comment on column ledger.events.tenant_id      is 'Whose log.';
comment on column ledger.events.position       is 'Dense from 1 within the tenant, in commit order. The committed log is always a prefix.';
comment on column ledger.events.stream_id      is 'The call, chat, session, delivery or tenant this is about.';
comment on column ledger.events.stream_kind    is 'call, chat, session, delivery or tenant.';
comment on column ledger.events.stream_version is 'Dense from 1 within the stream.';
comment on column ledger.events.event_id       is 'Derived from the content when it can be told twice, else UUIDv7. Exactly-once rests on its uniqueness.';
comment on column ledger.events.event_type     is 'Stable dotted name, past tense.';
comment on column ledger.events.schema_version is 'Shape of facts; older ones are upcast when read.';
comment on column ledger.events.occurred_at    is 'The source''s clock, or ours when it told no time. Orders nothing.';
comment on column ledger.events.recorded_at    is 'Our clock. Orders nothing.';
comment on column ledger.events.facts          is 'In the clear: no personal data, no floats. json, not jsonb: the exact bytes are hashed.';
comment on column ledger.events.sections       is 'Small sealed sections (party, tool_io).';
comment on column ledger.events.bulk           is 'Large sealed sections (conversation, raw); lists and projectors never read them.';
comment on column ledger.events.subjects       is 'Whose sections these are.';
comment on column ledger.events.meta           is 'Source, actor, request id, content digest. Exact bytes, hashed.';
comment on column ledger.events.leaf_hash      is 'SHA-256 over the stored bytes of all the above but position and stream_version, over ciphertext.';

create function ledger.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the event log is append-only: % was refused', tg_op using errcode = 'LG001';
end
$$;
comment on function ledger.refuse_change() is 'Keeps the log immutable, for its owner and for superusers too.';

-- A statement trigger also refuses statements that touch no row, and truncate.
create trigger immutable before update or delete or truncate on ledger.events
  for each statement execute function ledger.refuse_change();
alter table ledger.events enable always trigger immutable;

create table ledger.api_keys (
  tenant_id  uuid        not null,
  key_id     uuid        not null,
  key_hash   bytea       not null,
  name       text,
  scopes     text[]      not null,
  created_at timestamptz not null,
  revoked_at timestamptz,
  primary key (tenant_id, key_id),
  constraint api_keys_hash unique (tenant_id, key_hash)
);
comment on table  ledger.api_keys            is 'API keys. The key itself is shown once and not kept.';
comment on column ledger.api_keys.tenant_id  is 'Whose data the key opens.';
comment on column ledger.api_keys.key_id     is 'The key''s public name.';
comment on column ledger.api_keys.key_hash   is 'SHA-256 of the key (256 random bits need no slow hash).';
comment on column ledger.api_keys.name       is 'What the operator calls it.';
comment on column ledger.api_keys.scopes     is 'read, personal, write, compliance, admin.';
comment on column ledger.api_keys.created_at is 'Our clock.';
comment on column ledger.api_keys.revoked_at is 'From then on the key opens nothing.';

create table ledger.sources (
  tenant_id     uuid        not null,
  source_id     uuid        not null,
  provider      text        not null,
  name          text,
  secret_sealed bytea       not null,
  record_all    boolean     not null default false,
  assistant_id  text,
  created_at    timestamptz not null,
  disabled_at   timestamptz,
  primary key (tenant_id, source_id)
);
create index sources_by_id on ledger.sources (source_id);
comment on table  ledger.sources               is 'Webhook endpoints. A source of the nil tenant is shared: routes say whose each message is.';
comment on column ledger.sources.tenant_id     is 'Whose messages arrive here; nil when routes decide.';
comment on column ledger.sources.source_id     is 'The last part of the webhook''s path.';
comment on column ledger.sources.provider      is 'Which adapter reads its messages.';
comment on column ledger.sources.name          is 'What the operator calls it.';
comment on column ledger.sources.secret_sealed is 'The shared secret, sealed under the tenant''s epoch key.';
comment on column ledger.sources.record_all    is 'Record streaming telemetry too.';
comment on column ledger.sources.assistant_id  is 'Which assistant answers the telephone when the platform asks; null answers that there is none.';
comment on column ledger.sources.created_at    is 'Our clock.';
comment on column ledger.sources.disabled_at   is 'From then on it answers like an unknown source.';

create table ledger.source_routes (
  tenant_id  uuid        not null,
  source_id  uuid        not null,
  kind       text        not null,
  value      text        not null,
  created_at timestamptz not null,
  primary key (tenant_id, source_id, kind, value),
  constraint source_routes_kind check (kind in ('assistant_id', 'phone_number_id', 'phone_number'))
);
create index source_routes_by_value on ledger.source_routes (source_id, kind, value);
comment on table  ledger.source_routes            is 'Which tenant a message of a shared source belongs to, by ids of the platform''s own objects.';
comment on column ledger.source_routes.tenant_id  is 'Whose messages carry this id.';
comment on column ledger.source_routes.source_id  is 'The shared source.';
comment on column ledger.source_routes.kind       is 'assistant_id, phone_number_id or phone_number (the business''s own number).';
comment on column ledger.source_routes.value      is 'The id as the platform writes it.';
comment on column ledger.source_routes.created_at is 'Our clock.';

create table ledger.quarantine (
  tenant_id     uuid        not null,
  quarantine_id uuid        not null,
  source_id     uuid        not null,
  digest        bytea       not null,
  reason        text        not null,
  body_sealed   bytea       not null,
  received_at   timestamptz not null,
  primary key (tenant_id, quarantine_id),
  constraint quarantine_content unique (tenant_id, source_id, digest)
);
comment on table  ledger.quarantine               is 'Messages whose tenant could not be told: kept whole and sealed, never given to a default tenant.';
comment on column ledger.quarantine.tenant_id     is 'The installation (nil): it owns what nobody else does.';
comment on column ledger.quarantine.quarantine_id is 'The entry.';
comment on column ledger.quarantine.source_id     is 'Where it arrived.';
comment on column ledger.quarantine.digest        is 'Keyed digest of the content: the same message waits once.';
comment on column ledger.quarantine.reason        is 'no-single-route: no tenant or several claim its ids.';
comment on column ledger.quarantine.body_sealed   is 'The body, secrets cut out, sealed under the installation''s epoch key.';
comment on column ledger.quarantine.received_at   is 'Our clock.';

alter table ledger.tenants       enable row level security;
alter table ledger.tenants       force  row level security;
alter table ledger.events        enable row level security;
alter table ledger.events        force  row level security;
alter table ledger.api_keys      enable row level security;
alter table ledger.api_keys      force  row level security;
alter table ledger.sources       enable row level security;
alter table ledger.sources       force  row level security;
alter table ledger.source_routes enable row level security;
alter table ledger.source_routes force  row level security;
alter table ledger.quarantine    enable row level security;
alter table ledger.quarantine    force  row level security;

create policy owner_all on ledger.tenants       to ledger_owner using (true) with check (true);
create policy owner_all on ledger.events        to ledger_owner using (true) with check (true);
create policy owner_all on ledger.api_keys      to ledger_owner using (true) with check (true);
create policy owner_all on ledger.sources       to ledger_owner using (true) with check (true);
create policy owner_all on ledger.source_routes to ledger_owner using (true) with check (true);
create policy owner_all on ledger.quarantine    to ledger_owner using (true) with check (true);

create policy app_tenant on ledger.tenants       to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
create policy app_tenant on ledger.events        to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
create policy app_tenant on ledger.api_keys      to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
create policy app_tenant on ledger.sources       to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
create policy app_tenant on ledger.source_routes to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
create policy app_tenant on ledger.quarantine    to ledger_app using (tenant_id = (select ledger.tenant_in_force()));

create policy projector_reads on ledger.tenants for select to ledger_projector using (true);
create policy projector_reads on ledger.events  for select to ledger_projector using (true);

grant select on ledger.tenants, ledger.events, ledger.api_keys, ledger.sources, ledger.source_routes to ledger_app;
grant select, insert on ledger.quarantine to ledger_app;
grant select on ledger.tenants, ledger.events to ledger_projector;

-- Which source is this? Asked before any tenant is known, hence a definer function with one answer.
create function ledger.find_source(p_source_id uuid)
  returns table (tenant_id uuid, provider text, secret_sealed bytea, record_all boolean, assistant_id text, country text)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
begin atomic
  select s.tenant_id, s.provider, s.secret_sealed, s.record_all, s.assistant_id, t.country
    from ledger.sources s
    left join ledger.tenants t on t.tenant_id = s.tenant_id
   where s.source_id = p_source_id and s.disabled_at is null;
end;
comment on function ledger.find_source(uuid) is 'The live source of this id, whatever tenant it belongs to, with that tenant''s country.';

-- Whose is this message of a shared source? More than one row means it cannot be told.
create function ledger.find_routes(
  p_source_id uuid, p_assistant_id text, p_phone_number_id text, p_phone_number text
) returns table (tenant_id uuid)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
begin atomic
  select distinct r.tenant_id
    from ledger.source_routes r
   where r.source_id = p_source_id
     and ((r.kind = 'assistant_id'    and r.value = p_assistant_id)
       or (r.kind = 'phone_number_id' and r.value = p_phone_number_id)
       or (r.kind = 'phone_number'    and r.value = p_phone_number));
end;
comment on function ledger.find_routes(uuid, text, text, text) is 'The tenants that claim any of these ids at a shared source.';

revoke all on function ledger.find_source(uuid) from public;
revoke all on function ledger.find_routes(uuid, text, text, text) from public;
grant execute on function ledger.find_source(uuid) to ledger_app;
grant execute on function ledger.find_routes(uuid, text, text, text) to ledger_app;

reset role;
