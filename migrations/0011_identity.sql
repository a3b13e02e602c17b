-- Persons: handles that several contacts may share, and what each subject is. Existing subjects stay as
-- they are; their blind indexes are kept, because none can be computed here.
set role ledger_owner;

create table vault.handles (
  tenant_id   uuid        not null,
  handle_id   uuid        not null,
  kind        text        not null,
  blind_index bytea       not null,
  epoch       int         not null,
  created_at  timestamptz not null,
  primary key (tenant_id, handle_id),
  constraint handles_value unique (tenant_id, kind, blind_index),
  constraint handles_kind check (kind in ('external_id', 'phone', 'sip', 'email'))
);
comment on table  vault.handles             is 'What persons are found by: numbers, addresses and ids, without storing any of them.';
comment on column vault.handles.tenant_id   is 'The tenant.';
comment on column vault.handles.handle_id   is 'Random: facts and read models name the handle by it.';
comment on column vault.handles.kind        is 'external_id, phone (with its extension), sip or email.';
comment on column vault.handles.blind_index is 'HMAC of the normal form under the lookup key of the epoch.';
comment on column vault.handles.epoch       is 'Which epoch''s lookup key it was made with.';
comment on column vault.handles.created_at  is 'Our clock.';

create table vault.contacts (
  tenant_id             uuid        not null,
  contact_id            uuid        not null,
  name_index            bytea,
  possible_duplicate_of uuid,
  created_at            timestamptz not null,
  primary key (tenant_id, contact_id)
);
comment on table  vault.contacts                       is 'The subjects that are persons. A subject that is not here is a call''s own.';
comment on column vault.contacts.tenant_id             is 'The tenant.';
comment on column vault.contacts.contact_id            is 'The subject.';
comment on column vault.contacts.name_index            is 'HMAC of the normal form of the first name told, under the lookup key. Null until one is told; set once.';
comment on column vault.contacts.possible_duplicate_of is 'A contact that had one of its handles when it was made. A person decides whether they are one.';
comment on column vault.contacts.created_at            is 'Our clock.';

create table vault.contact_handles (
  tenant_id  uuid        not null,
  handle_id  uuid        not null,
  contact_id uuid        not null,
  name_index bytea       not null,
  since      timestamptz not null,
  until      timestamptz,
  primary key (tenant_id, handle_id, contact_id, name_index)
);
create unique index contact_handles_name on vault.contact_handles (tenant_id, handle_id, name_index) where name_index <> '';
create index contact_handles_by_contact on vault.contact_handles (tenant_id, contact_id);
comment on table  vault.contact_handles            is 'Which contacts have a handle. A family shares a number, a person has several.';
comment on column vault.contact_handles.tenant_id  is 'The tenant.';
comment on column vault.contact_handles.handle_id  is 'The handle.';
comment on column vault.contact_handles.contact_id is 'The contact.';
comment on column vault.contact_handles.name_index is 'HMAC of the name that was told with the handle; empty when none was. One contact per handle and name.';
comment on column vault.contact_handles.since      is 'Our clock, when it was first told.';
comment on column vault.contact_handles.until      is 'When it ended; null while it stands.';

create table vault.call_subjects (
  tenant_id   uuid        not null,
  blind_index bytea       not null,
  subject_id  uuid        not null,
  epoch       int         not null,
  created_at  timestamptz not null,
  primary key (tenant_id, blind_index)
);
create index call_subjects_by_subject on vault.call_subjects (tenant_id, subject_id);
comment on table  vault.call_subjects             is 'The own subject of a call: holder of what is told in it about nobody in particular.';
comment on column vault.call_subjects.tenant_id   is 'The tenant.';
comment on column vault.call_subjects.blind_index is 'HMAC of the call''s stream under the lookup key of the epoch.';
comment on column vault.call_subjects.subject_id  is 'The call''s own subject.';
comment on column vault.call_subjects.epoch       is 'Which epoch''s lookup key it was made with.';
comment on column vault.call_subjects.created_at  is 'Our clock.';

-- A subject that anything but a call finds is a person.
insert into vault.contacts (tenant_id, contact_id, created_at)
select tenant_id, subject_id, min(created_at)
  from vault.lookups
 where kind <> 'call'
 group by tenant_id, subject_id;

insert into vault.handles (tenant_id, handle_id, kind, blind_index, epoch, created_at)
select tenant_id, gen_random_uuid(), kind, blind_index, epoch, created_at
  from vault.lookups
 where kind <> 'call';

insert into vault.contact_handles (tenant_id, handle_id, contact_id, name_index, since)
select l.tenant_id, h.handle_id, l.subject_id, '', l.created_at
  from vault.lookups l
  join vault.handles h
    on h.tenant_id = l.tenant_id and h.kind = l.kind and h.blind_index = l.blind_index;

-- Which calls a person was in stands in the log; the way to a subject of a call's own stands nowhere else.
insert into vault.call_subjects (tenant_id, blind_index, subject_id, epoch, created_at)
select l.tenant_id, l.blind_index, l.subject_id, l.epoch, l.created_at
  from vault.lookups l
 where l.kind = 'call'
   and not exists (select from vault.contacts c
                    where c.tenant_id = l.tenant_id and c.contact_id = l.subject_id);

drop table vault.lookups;

-- Kept for erasure: what was linked until now. Nothing is linked any more.
revoke insert on vault.links from ledger_app;
comment on table vault.links is 'Until 0011: a call''s own subject and the person found later, or two persons of one message. Erasing one erases all that are linked. Nothing is added.';

do $$
declare
  v_table text;
begin
  foreach v_table in array array['handles', 'contacts', 'contact_handles', 'call_subjects'] loop
    execute format('alter table vault.%I enable row level security', v_table);
    execute format('alter table vault.%I force row level security', v_table);
    execute format('create policy owner_all on vault.%I to ledger_owner using (true) with check (true)', v_table);
    execute format('create policy app_tenant on vault.%I to ledger_app using (tenant_id = (select ledger.tenant_in_force()))', v_table);
    execute format('grant select, insert on vault.%I to ledger_app', v_table);
  end loop;
end
$$;
grant update (name_index) on vault.contacts to ledger_app;

-- The read model "calls" tells contacts from calls' own subjects, and finds calls by handle: shape 3, for
-- every version there is. It is folded anew from the log.
do $$
declare
  v_schema text;
begin
  for v_schema in
    select nspname from pg_namespace where nspname ~ '^calls_v[0-9]+$' order by nspname
  loop
    execute format('truncate %1$I.calls, %1$I.call_tools, %1$I.callers, %1$I.call_rollups', v_schema);
    execute format('alter table %I.calls add column contact_id uuid, add column person_id uuid,
                    add column phone_id uuid, add column email_id uuid', v_schema);
    execute format($c$comment on column %I.calls.contact_id is 'The contact on the line; null when it is nobody in particular.'$c$, v_schema);
    execute format($c$comment on column %I.calls.person_id is 'Whom it counts as: the contact, else its strongest handle, else the call itself.'$c$, v_schema);
    execute format($c$comment on column %I.calls.phone_id is 'The handle of the person''s number or SIP address; of a call recorded before handles had ids, its contact.'$c$, v_schema);
    execute format($c$comment on column %I.calls.email_id is 'The handle of the person''s e-mail address; of a call recorded before handles had ids, its contact.'$c$, v_schema);
    execute format('alter table %I.call_tools rename column subject_id to person_id', v_schema);
    execute format($c$comment on column %I.call_tools.person_id is 'Whom the call counts as.'$c$, v_schema);
    execute format('alter table %I.callers rename column subject_id to person_id', v_schema);
    execute format($c$comment on column %I.callers.person_id is 'Whom calls count as: a contact, a handle without one, or a call of nobody.'$c$, v_schema);
    execute format('drop index if exists %1$I.calls_by_start, %1$I.calls_by_agent, %1$I.calls_by_direction,
                    %1$I.calls_by_outcome, %1$I.calls_by_reason', v_schema);
    execute format('create index calls_by_start on %I.calls (tenant_id, started_at desc, call_id desc) include (person_id, is_test)', v_schema);
    execute format('create index calls_by_agent on %I.calls (tenant_id, agent_id, started_at desc, call_id desc) include (person_id, is_test)', v_schema);
    execute format('create index calls_by_direction on %I.calls (tenant_id, direction, started_at desc, call_id desc) include (person_id, is_test)', v_schema);
    execute format('create index calls_by_outcome on %I.calls (tenant_id, outcome, started_at desc, call_id desc) include (person_id, is_test)', v_schema);
    execute format('create index calls_by_reason on %I.calls (tenant_id, ended_reason, started_at desc, call_id desc) include (person_id, is_test)', v_schema);
    execute format('create index calls_by_phone on %I.calls (tenant_id, phone_id, started_at desc, call_id desc) where phone_id is not null', v_schema);
    execute format('create index calls_by_email on %I.calls (tenant_id, email_id, started_at desc, call_id desc) where email_id is not null', v_schema);
    execute format('create index calls_by_handle on %I.calls (tenant_id, started_at desc, person_id) where contact_id is null and person_id <> subject_id', v_schema);
  end loop;
end
$$;
update projection.versions set shape = 3 where projection = 'calls';
delete from projection.checkpoints where projection = 'calls';
delete from projection.parked where projection = 'calls';
drop view read.call_tools, read.callers;
select projection.show_version('calls', version)
  from projection.versions
 where projection = 'calls' and state = 'active' and tenant_id = '00000000-0000-0000-0000-000000000000';

reset role;
