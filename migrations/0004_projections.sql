-- Checkpoints, and the first read model. Each version of a read model has a schema of its own;
-- the views in "read" point to the one that is active.
set role ledger_owner;

create schema projection;
comment on schema projection is 'How far each read model is.';
grant usage on schema projection to ledger_app, ledger_projector;

create table projection.checkpoints (
  tenant_id  uuid        not null,
  projection text        not null,
  version    int         not null,
  position   bigint      not null default 0,
  halted     text,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, projection, version)
) with (fillfactor = 70);
create index checkpoints_by_projection on projection.checkpoints (projection, version);
comment on table  projection.checkpoints            is 'One row per tenant and version of a read model; committed together with the rows it speaks of.';
comment on column projection.checkpoints.tenant_id  is 'Whose log.';
comment on column projection.checkpoints.projection is 'The read model.';
comment on column projection.checkpoints.version    is 'Its version.';
comment on column projection.checkpoints.position   is 'The last position that is in the read model.';
comment on column projection.checkpoints.halted     is 'Why it does not go on, when it met an event it cannot read. No personal data.';
comment on column projection.checkpoints.updated_at is 'When it last moved.';

create schema calls_v1;
comment on schema calls_v1 is 'Version 1 of the read model "calls".';
grant usage on schema calls_v1 to ledger_app, ledger_projector;

create table calls_v1.calls (
  tenant_id        uuid        not null,
  call_id          uuid        not null,
  provider         text        not null,
  provider_call_id text        not null,
  direction        text,
  status           text,
  outcome          text,
  ended_reason     text,
  started_at       timestamptz not null,
  ended_at         timestamptz,
  duration_ms      bigint,
  cost_nanos       bigint,
  currency         text,
  tools_used       text[]      not null,
  agent_id         text,
  phone_number_id  text,
  success          boolean,
  is_test          boolean     not null,
  subject_id       uuid,
  party            bytea,
  position         bigint      not null,
  state            json        not null,
  primary key (tenant_id, call_id)
);
create index calls_by_start    on calls_v1.calls (tenant_id, started_at desc, call_id desc);
create index calls_by_subject  on calls_v1.calls (tenant_id, subject_id, started_at desc);
create index calls_by_provider on calls_v1.calls (tenant_id, provider_call_id);
create index calls_by_agent    on calls_v1.calls (tenant_id, agent_id, started_at desc);
create index calls_by_outcome  on calls_v1.calls (tenant_id, outcome, started_at desc);
comment on table  calls_v1.calls                  is 'One row per call: what its events, in any order and any number of times, come to.';
comment on column calls_v1.calls.tenant_id        is 'Whose call.';
comment on column calls_v1.calls.call_id          is 'The call''s stream.';
comment on column calls_v1.calls.provider         is 'The voice platform.';
comment on column calls_v1.calls.provider_call_id is 'Its own id of the call.';
comment on column calls_v1.calls.direction        is 'inbound, outbound or web.';
comment on column calls_v1.calls.status           is 'queued, ringing, in_progress, forwarding or ended.';
comment on column calls_v1.calls.outcome          is 'Our coarse reading of the end reason; null while it has not ended.';
comment on column calls_v1.calls.ended_reason     is 'The provider''s own reason.';
comment on column calls_v1.calls.started_at       is 'As told, else the earliest time known of it.';
comment on column calls_v1.calls.ended_at         is 'As told.';
comment on column calls_v1.calls.duration_ms      is 'As told.';
comment on column calls_v1.calls.cost_nanos       is 'The stated total, 1e-9 of the currency.';
comment on column calls_v1.calls.currency         is 'ISO 4217.';
comment on column calls_v1.calls.tools_used       is 'Names, sorted.';
comment on column calls_v1.calls.agent_id         is 'The assistant.';
comment on column calls_v1.calls.phone_number_id  is 'Our number, by the platform''s id.';
comment on column calls_v1.calls.success          is 'The provider''s evaluation.';
comment on column calls_v1.calls.is_test          is 'Marked as a test.';
comment on column calls_v1.calls.subject_id       is 'The person, or the call''s own subject.';
comment on column calls_v1.calls.party            is 'Sealed: copies of the sections that say who was on the line, packed as in the log.';
comment on column calls_v1.calls.position         is 'The last event in it.';
comment on column calls_v1.calls.state            is 'The fold itself, from which every other column is derived. No personal data.';

alter table projection.checkpoints enable row level security;
alter table projection.checkpoints force  row level security;
alter table calls_v1.calls         enable row level security;
alter table calls_v1.calls         force  row level security;

create policy owner_all on projection.checkpoints to ledger_owner using (true) with check (true);
create policy owner_all on calls_v1.calls         to ledger_owner using (true) with check (true);
create policy projector_all on projection.checkpoints to ledger_projector using (true) with check (true);
create policy projector_all on calls_v1.calls         to ledger_projector using (true) with check (true);
create policy app_tenant on projection.checkpoints to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
create policy app_tenant on calls_v1.calls         to ledger_app using (tenant_id = (select ledger.tenant_in_force()));

grant select on projection.checkpoints, calls_v1.calls to ledger_app;
grant select, insert, update, delete on projection.checkpoints, calls_v1.calls to ledger_projector;

create schema read;
comment on schema read is 'The active version of each read model.';
grant usage on schema read to ledger_app, ledger_projector;
create view read.calls with (security_invoker = true) as select * from calls_v1.calls;
comment on view read.calls is 'The active version of "calls".';
grant select on read.calls to ledger_app, ledger_projector;

reset role;
