-- Which entries of the erasure journal were applied to this database, and the certificates of erasures; see
-- docs/decisions/0052-journal.md and docs/decisions/0053-certificates.md.
set role ledger_owner;

create table vault.applied_entries (
  tenant_id  uuid        not null,
  erasure_id uuid        not null,
  entry      bigint      not null,
  digest     bytea       not null,
  stream_id  uuid,
  applied_at timestamptz not null,
  primary key (tenant_id, erasure_id),
  constraint applied_entries_entry unique (entry),
  constraint applied_entries_from_one check (entry > 0),
  constraint applied_entries_digest_sha256 check (length(digest) = 32)
);
comment on table  vault.applied_entries            is 'Entries of the erasure journal whose keys are destroyed in this database. A database without the newest ones is an older copy, and is not served.';
comment on column vault.applied_entries.tenant_id  is 'The tenant.';
comment on column vault.applied_entries.erasure_id is 'The erasure.';
comment on column vault.applied_entries.entry      is 'Number of the entry in the journal, from 1.';
comment on column vault.applied_entries.digest     is 'SHA-256 of the entry.';
comment on column vault.applied_entries.stream_id  is 'Stream of the subject, which tells the erasure; null if this database does not have the tenant.';
comment on column vault.applied_entries.applied_at is 'Clock of the database.';

alter table vault.applied_entries enable row level security;
alter table vault.applied_entries force  row level security;
create policy owner_all  on vault.applied_entries to ledger_owner using (true) with check (true);
create policy app_tenant on vault.applied_entries to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
grant select on vault.applied_entries to ledger_app;

create function ledger.tells_fence(p_tenant_id uuid, p_stream_id uuid, p_erasure_id uuid) returns boolean
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
as $body$
  select exists (select from ledger.events e
                  where e.tenant_id = p_tenant_id and e.stream_id = p_stream_id
                    and e.event_type = 'subject.fenced'
                    and e.facts->>'erasure_id' = p_erasure_id::text)
$body$;
comment on function ledger.tells_fence is
  'Whether the log tells that an erasure was fenced. Security definer: the gate asks for erasures of every tenant. Answers yes or no only.';

drop function vault.destroy_keys(uuid, uuid);
create function vault.destroy_keys(
  p_tenant_id    uuid,
  p_erasure_id   uuid,
  p_entry        bigint,
  p_digest       bytea,
  p_stream_id    uuid,
  p_subjects     uuid[],
  p_generations  int[]
) returns bigint
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
begin
  if p_tenant_id is distinct from ledger.tenant_in_force() then
    raise exception 'a transaction destroys keys of its own tenant only' using errcode = 'LG003';
  end if;
  -- A fence of a key that this database does not have refuses the key if it returns.
  insert into vault.fences as f (tenant_id, subject_id, erasure_id, generation, placed_at)
  select p_tenant_id, j.subject_id, p_erasure_id, max(j.generation), clock_timestamp()
    from unnest(p_subjects, p_generations) as j (subject_id, generation)
   group by j.subject_id
      on conflict (tenant_id, subject_id) do update
     set generation = greatest(f.generation, excluded.generation),
         placed_at = excluded.placed_at
   where f.generation < excluded.generation;
  update vault.subject_keys k set state = 'destroyed', wrapped = null
    from vault.fences f
   where f.tenant_id = p_tenant_id
     and (f.erasure_id = p_erasure_id or f.subject_id = any (p_subjects))
     and k.tenant_id = p_tenant_id and k.subject_id = f.subject_id
     and k.generation <= f.generation and k.state <> 'destroyed';
  update vault.fences f set destroyed_at = clock_timestamp()
   where f.tenant_id = p_tenant_id and f.destroyed_at is null
     and (f.erasure_id = p_erasure_id or f.subject_id = any (p_subjects));
  insert into vault.applied_entries as a (tenant_id, erasure_id, entry, digest, stream_id, applied_at)
  values (p_tenant_id, p_erasure_id, p_entry, p_digest, p_stream_id, clock_timestamp())
      on conflict (tenant_id, erasure_id) do update
     set stream_id = excluded.stream_id
   where a.digest = excluded.digest and a.stream_id is distinct from excluded.stream_id;
  if not exists (select from vault.applied_entries a
                  where a.tenant_id = p_tenant_id and a.erasure_id = p_erasure_id
                    and a.entry = p_entry and a.digest = p_digest) then
    raise exception 'another entry of the journal was applied for this erasure' using errcode = 'LG006';
  end if;
  return (select count(*)
            from vault.fences f
            join vault.subject_keys k
              on k.tenant_id = p_tenant_id and k.subject_id = f.subject_id and k.generation <= f.generation
           where f.tenant_id = p_tenant_id
             and (f.erasure_id = p_erasure_id or f.subject_id = any (p_subjects))
             and k.state = 'destroyed');
end
$body$;
comment on function vault.destroy_keys is
  'Destroys the keys that an entry of the journal names and those that its erasure fences, fences the ones that are missing, and records the entry, in one transaction. Returns how many of the keys are destroyed, also by an earlier call. Security definer as place_fence.';

create function vault.journal_state()
  returns table (entries bigint, last_entry bigint, digest bytea, is_told boolean)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
as $body$
  select (select count(*) from vault.applied_entries), a.entry, a.digest,
         a.stream_id is null or ledger.tells_fence(a.tenant_id, a.stream_id, a.erasure_id)
    from (select 1) as one
    left join lateral (select * from vault.applied_entries order by entry desc limit 1) a on true
$body$;
comment on function vault.journal_state is
  'Number of applied entries, and the last one with its digest and whether the log tells it. Security definer: the journal is of every tenant. Answers with numbers and digests only.';

create function vault.list_applied_entries()
  returns table (tenant_id uuid, erasure_id uuid, entry bigint, digest bytea, is_told boolean)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
as $body$
  select a.tenant_id, a.erasure_id, a.entry, a.digest,
         a.stream_id is null or ledger.tells_fence(a.tenant_id, a.stream_id, a.erasure_id)
    from vault.applied_entries a
   order by a.entry
$body$;
comment on function vault.list_applied_entries is
  'Every applied entry, and whether the log tells it. Security definer as journal_state.';

revoke all on function ledger.tells_fence, vault.destroy_keys, vault.journal_state, vault.list_applied_entries from public;
grant execute on function ledger.tells_fence, vault.destroy_keys, vault.journal_state, vault.list_applied_entries to ledger_app;

create table ledger.certificates (
  tenant_id  uuid        not null,
  erasure_id uuid        not null,
  kind       text        not null,
  text       text        not null,
  digest     bytea       not null,
  made_at    timestamptz not null,
  primary key (tenant_id, erasure_id, kind),
  constraint certificates_kind check (kind in ('live', 'final')),
  constraint certificates_digest_sha256 check (length(digest) = 32)
);
comment on table  ledger.certificates            is 'Certificates of erasures: signed notes without personal data and without the id of the subject.';
comment on column ledger.certificates.tenant_id  is 'The tenant.';
comment on column ledger.certificates.erasure_id is 'The erasure.';
comment on column ledger.certificates.kind       is 'live, once the keys are destroyed here; final, once no copy of a key can be opened.';
comment on column ledger.certificates.text       is 'The signed note.';
comment on column ledger.certificates.digest     is 'SHA-256 of the text.';
comment on column ledger.certificates.made_at    is 'Clock of the server.';

create function ledger.refuse_certificate_change() returns trigger language plpgsql as $$
begin
  raise exception 'certificates are not changed: % was refused', tg_op using errcode = 'LG001';
end
$$;
comment on function ledger.refuse_certificate_change() is 'Keeps issued certificates, for the owner and for superusers too.';
create trigger immutable before update or delete or truncate on ledger.certificates
  for each statement execute function ledger.refuse_certificate_change();
alter table ledger.certificates enable always trigger immutable;

alter table ledger.certificates enable row level security;
alter table ledger.certificates force  row level security;
create policy owner_all  on ledger.certificates to ledger_owner using (true) with check (true);
create policy app_tenant on ledger.certificates to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
grant select, insert on ledger.certificates to ledger_app;

reset role;
