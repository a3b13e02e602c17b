-- Reports of verified backups; see docs/decisions/0056-backups.md.
set role ledger_owner;

create table ledger.backups (
  tenant_id   uuid        not null,
  name        text        not null,
  started_at  timestamptz not null,
  finished_at timestamptz not null,
  is_ok       boolean     not null,
  findings    text[]      not null,
  taken_at    timestamptz not null,
  restore_ms  bigint      not null,
  verify_ms   bigint      not null,
  bytes       bigint      not null,
  events      bigint      not null,
  primary key (tenant_id, name, started_at)
);
create index backups_by_time on ledger.backups (tenant_id, finished_at desc) where is_ok;
comment on table  ledger.backups             is 'One row per verification of a backup: it was restored into a database of its own and compared.';
comment on column ledger.backups.tenant_id   is 'The installation (nil).';
comment on column ledger.backups.name        is 'Name of the backup.';
comment on column ledger.backups.started_at  is 'Our clock, when the verification began.';
comment on column ledger.backups.finished_at is 'Our clock, when it ended.';
comment on column ledger.backups.is_ok       is 'Whether nothing was found.';
comment on column ledger.backups.findings    is 'What was found, one sentence each, without personal data.';
comment on column ledger.backups.taken_at    is 'Our clock, when the backup was complete.';
comment on column ledger.backups.restore_ms  is 'Milliseconds to restore it and to replay the write-ahead log.';
comment on column ledger.backups.verify_ms   is 'Milliseconds of the whole verification.';
comment on column ledger.backups.bytes       is 'Size of the backup.';
comment on column ledger.backups.events      is 'Events in the restored logs.';

alter table ledger.backups enable row level security;
alter table ledger.backups force  row level security;
create policy owner_all  on ledger.backups to ledger_owner using (true) with check (true);
create policy app_tenant on ledger.backups to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
grant select on ledger.backups to ledger_app;

reset role;
