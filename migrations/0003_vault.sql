-- Keys of persons, wrapped under keys that are not in this database; and how persons are found.
set role ledger_owner;

create schema vault;
comment on schema vault is 'Wrapped subject keys and blind indexes. Nothing here opens anything without the keyring.';
grant usage on schema vault to ledger_app;

create table vault.epochs (
  tenant_id   uuid        not null,
  epoch       int         not null,
  check_value bytea       not null,
  state       text        not null default 'live',
  created_at  timestamptz not null,
  primary key (tenant_id, epoch),
  constraint epochs_state check (state in ('live', 'draining', 'destroyed'))
);
comment on table  vault.epochs             is 'The epoch keys a tenant has had. The keys themselves are in the keyring, outside PostgreSQL.';
comment on column vault.epochs.tenant_id   is 'Whose keys.';
comment on column vault.epochs.epoch       is 'From 1; a roll makes the next.';
comment on column vault.epochs.check_value is 'HMAC of a fixed text under the epoch key: a wrong or swapped key file is named, not used.';
comment on column vault.epochs.state       is 'live, draining (a roll is under way) or destroyed.';
comment on column vault.epochs.created_at  is 'Our clock.';

create table vault.subject_keys (
  tenant_id   uuid        not null,
  subject_id  uuid        not null,
  generation  int         not null,
  state       text        not null default 'active',
  epoch       int         not null,
  wrapped     bytea,
  fingerprint bytea       not null,
  created_at  timestamptz not null,
  primary key (tenant_id, subject_id, generation),
  constraint subject_keys_state check (state in ('active', 'restricted', 'fenced', 'destroyed')),
  constraint subject_keys_destroyed_is_gone check ((state = 'destroyed') = (wrapped is null))
);
comment on table  vault.subject_keys             is 'One key per person and generation. An erased person is a stored fence, never just an absent key.';
comment on column vault.subject_keys.tenant_id   is 'Whose subject.';
comment on column vault.subject_keys.subject_id  is 'The person, or the call whose person is unknown. Random.';
comment on column vault.subject_keys.generation  is 'From 1. A generation below the floor never comes back.';
comment on column vault.subject_keys.state       is 'active seals and opens; restricted, fenced and destroyed do not seal.';
comment on column vault.subject_keys.epoch       is 'Which epoch key wraps it.';
comment on column vault.subject_keys.wrapped     is 'The key, sealed under the epoch key and bound to tenant, subject, generation and epoch. Null when destroyed.';
comment on column vault.subject_keys.fingerprint is 'SHA-256 of the key: proves which key was destroyed, reveals nothing of 256 random bits.';
comment on column vault.subject_keys.created_at  is 'Our clock.';

create table vault.lookups (
  tenant_id   uuid        not null,
  kind        text        not null,
  blind_index bytea       not null,
  subject_id  uuid        not null,
  epoch       int         not null,
  created_at  timestamptz not null,
  primary key (tenant_id, kind, blind_index)
);
create index lookups_by_subject on vault.lookups (tenant_id, subject_id);
comment on table  vault.lookups             is 'Finds a subject by phone, e-mail or call without storing either.';
comment on column vault.lookups.tenant_id   is 'Whose subjects.';
comment on column vault.lookups.kind        is 'phone, email, external_id or call.';
comment on column vault.lookups.blind_index is 'HMAC of the normalised value under the lookup key of the epoch.';
comment on column vault.lookups.subject_id  is 'Who it finds.';
comment on column vault.lookups.epoch       is 'Which epoch''s lookup key it was made with.';
comment on column vault.lookups.created_at  is 'Our clock.';

create table vault.links (
  tenant_id  uuid        not null,
  subject_id uuid        not null,
  linked_to  uuid        not null,
  created_at timestamptz not null,
  primary key (tenant_id, subject_id, linked_to)
);
comment on table  vault.links            is 'A call''s own subject and the person found later: who erases one erases all that are linked.';
comment on column vault.links.tenant_id  is 'Whose subjects.';
comment on column vault.links.subject_id is 'The call''s own subject.';
comment on column vault.links.linked_to  is 'The person.';
comment on column vault.links.created_at is 'Our clock.';

alter table vault.epochs       enable row level security;
alter table vault.epochs       force  row level security;
alter table vault.subject_keys enable row level security;
alter table vault.subject_keys force  row level security;
alter table vault.lookups      enable row level security;
alter table vault.lookups      force  row level security;
alter table vault.links        enable row level security;
alter table vault.links        force  row level security;

create policy owner_all on vault.epochs       to ledger_owner using (true) with check (true);
create policy owner_all on vault.subject_keys to ledger_owner using (true) with check (true);
create policy owner_all on vault.lookups      to ledger_owner using (true) with check (true);
create policy owner_all on vault.links        to ledger_owner using (true) with check (true);

create policy app_tenant on vault.epochs       to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
create policy app_tenant on vault.subject_keys to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
create policy app_tenant on vault.lookups      to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
create policy app_tenant on vault.links        to ledger_app using (tenant_id = (select ledger.tenant_in_force()));

grant select, insert on vault.epochs, vault.subject_keys, vault.lookups, vault.links to ledger_app;

reset role;
