-- Exports of the data of a subject for the person; see docs/decisions/0057-access-export.md. The log has the
-- requests and the disclosures; this table finds an export by its id, and has the state of its file.
set role ledger_owner;

create table ledger.access_exports (
  tenant_id     uuid        not null,
  export_id     uuid        not null,
  subject_id    uuid        not null,
  created_at    timestamptz not null,
  working_until timestamptz not null,
  failure       text,
  expires_at    timestamptz not null,
  deleted_at    timestamptz,
  primary key (tenant_id, export_id),
  constraint access_exports_failure check (failure in ('interrupted', 'outdated', 'erased', 'incomplete', 'storage', 'unavailable'))
);
create index access_exports_by_subject on ledger.access_exports (tenant_id, subject_id);
comment on table  ledger.access_exports               is 'Files with the data of a subject, encrypted to a passphrase that is not stored. The files are outside the database.';
comment on column ledger.access_exports.tenant_id     is 'The tenant.';
comment on column ledger.access_exports.export_id     is 'The export; the name of its file.';
comment on column ledger.access_exports.subject_id    is 'The subject, whose stream has the request and the disclosure.';
comment on column ledger.access_exports.created_at    is 'Time of the request, by our clock.';
comment on column ledger.access_exports.working_until is 'Until then a process makes the file, and prolongs it meanwhile; afterwards a file that is not there has failed.';
comment on column ledger.access_exports.failure       is 'Reason for which the file was not made; null while it is made, and once it is there.';
comment on column ledger.access_exports.expires_at    is 'Time after which the file is deleted.';
comment on column ledger.access_exports.deleted_at    is 'Time at which the file was deleted, by its expiry or by an erasure; null before.';

alter table ledger.access_exports enable row level security;
alter table ledger.access_exports force  row level security;
create policy owner_all  on ledger.access_exports to ledger_owner using (true) with check (true);
create policy app_tenant on ledger.access_exports to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
grant select, insert, update on ledger.access_exports to ledger_app;

reset role;
