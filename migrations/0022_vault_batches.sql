-- The vault resolves the messages of many tenants in one transaction; see
-- docs/decisions/0035-vault-batches.md.
set role ledger_owner;

create function vault.find_subjects(
  p_tenants       uuid[],
  p_handle_tenant int[],
  p_kind          text[],
  p_blind_index   bytea[],
  p_name_index    bytea[],
  p_call_tenant   int[],
  p_call_index    bytea[],
  p_stream_id     uuid[],
  p_max_contacts  bigint
) returns table (part text, nth bigint, handle_id uuid, holder_id uuid, contact_id uuid, name_index bytea,
                 kinds text[], own_id uuid, first_id uuid)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
declare
  v_locked boolean[];
begin
  -- The later statement must see what was committed before the locks were taken.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'the vault needs read committed' using errcode = 'LG002';
  end if;
  -- Never waits, so that no tenant waits for another and no order of locks can deadlock.
  select array_agg(pg_try_advisory_xact_lock(hashtextextended('vault ' || t.tenant_id, 0)) order by t.nth)
    into v_locked
    from unnest(p_tenants) with ordinality t (tenant_id, nth);

  return query
    select 'busy', t.nth, null::uuid, null::uuid, null::uuid, null::bytea, null::text[], null::uuid, null::uuid
      from unnest(v_locked) with ordinality t (is_locked, nth)
     where not t.is_locked;

  -- One index look-up per handle and call: without statistics the planner would read all rows of a
  -- tenant.
  return query
    select 'handle', w.nth, h.handle_id, o.contact_id, c.contact_id, c.name_index, c.kinds, null::uuid, null::uuid
      from unnest(p_handle_tenant, p_kind, p_blind_index, p_name_index) with ordinality
        as w (tenant, kind, blind_index, name_index, nth)
     cross join lateral (
        select handle_id from vault.handles
         where tenant_id = p_tenants[w.tenant] and kind = w.kind and blind_index = w.blind_index
        offset 0) h
      left join lateral (
        select x.contact_id from vault.contact_handles x
         where x.tenant_id = p_tenants[w.tenant] and x.handle_id = h.handle_id
           and x.name_index = w.name_index and x.name_index <> ''
        offset 0) o on true
      left join lateral (
        select k.contact_id, k.name_index, k.created_at,
               array(select distinct o.kind
                       from vault.contact_handles x
                       join vault.handles o
                         on o.tenant_id = x.tenant_id and o.handle_id = x.handle_id
                      where x.tenant_id = p_tenants[w.tenant] and x.contact_id = k.contact_id) as kinds
          from vault.contacts k
         where k.tenant_id = p_tenants[w.tenant]
           and k.contact_id in (select x.contact_id from vault.contact_handles x
                                 where x.tenant_id = p_tenants[w.tenant] and x.handle_id = h.handle_id
                                   and x.until is null)
         order by (k.name_index = w.name_index) desc nulls last, (k.name_index is null) desc,
                  k.created_at, k.contact_id
         limit p_max_contacts) c on true
     order by c.created_at, c.contact_id;

  return query
    select 'call', w.nth, null::uuid, null::uuid, null::uuid, null::bytea, null::text[], s.subject_id, e.subject_id
      from unnest(p_call_tenant, p_call_index, p_stream_id) with ordinality
        as w (tenant, blind_index, stream_id, nth)
      left join lateral (
        select subject_id from vault.call_subjects
         where tenant_id = p_tenants[w.tenant] and blind_index = w.blind_index
        offset 0) s on true
      left join lateral (
        select v.subjects[1] as subject_id
          from ledger.events v
         where v.tenant_id = p_tenants[w.tenant] and v.stream_id = w.stream_id and v.subjects[1] is not null
         order by v.stream_version
         limit 1) e on true;
end
$body$;
comment on function vault.find_subjects is
  'Locks the vault of many tenants to the end of the transaction, as far as they are free, and finds what is known about messages: handles with their contacts, and the subjects of calls. Parallel arrays; tenants by their index. Security definer over every tenant: only the vault calls it.';

create function vault.find_keys(p_tenants uuid[], p_subjects uuid[])
  returns table (tenant_id uuid, subject_id uuid, generation int, state text, epoch int, wrapped bytea, check_value bytea)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
  return query
    select k.tenant_id, k.subject_id, k.generation, k.state, k.epoch, k.wrapped, e.check_value
      from unnest(p_tenants, p_subjects) as w (tenant_id, subject_id)
      join vault.subject_keys k on k.tenant_id = w.tenant_id and k.subject_id = w.subject_id
      left join vault.epochs e on e.tenant_id = k.tenant_id and e.epoch = k.epoch
     order by k.tenant_id, k.subject_id, k.generation;
end
$body$;
comment on function vault.find_keys is
  'Every generation of the wrapped keys of subjects, given as pairs with their tenant. Security definer over every tenant: only the vault calls it.';

create function vault.add_subjects(
  p_tenants         uuid[],
  p_epochs          int[],
  p_now             timestamptz,
  p_handle_tenant   int[],
  p_handle_id       uuid[],
  p_kind            text[],
  p_blind_index     bytea[],
  p_contact_tenant  int[],
  p_contact_id      uuid[],
  p_contact_name    bytea[],
  p_duplicate_of    uuid[],
  p_holding_tenant  int[],
  p_held_handle     uuid[],
  p_holder          uuid[],
  p_held_name       bytea[],
  p_named_tenant    int[],
  p_named_contact   uuid[],
  p_first_name      bytea[],
  p_call_tenant     int[],
  p_call_index      bytea[],
  p_call_subject    uuid[],
  p_key_tenant      int[],
  p_key_subject     uuid[],
  p_wrapped         bytea[],
  p_fingerprint     bytea[]
) returns bigint
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
declare
  v_rows  bigint;
  v_added bigint := 0;
begin
  if cardinality(p_handle_id) > 0 then
    insert into vault.handles (tenant_id, handle_id, kind, blind_index, epoch, created_at)
    select p_tenants[n.tenant], n.handle_id, n.kind, n.blind_index, p_epochs[n.tenant], p_now
      from unnest(p_handle_tenant, p_handle_id, p_kind, p_blind_index) as n (tenant, handle_id, kind, blind_index)
        on conflict do nothing;
    get diagnostics v_rows = row_count;
    v_added := v_added + v_rows;
  end if;

  if cardinality(p_contact_id) > 0 then
    insert into vault.contacts (tenant_id, contact_id, name_index, possible_duplicate_of, created_at)
    select p_tenants[n.tenant], n.contact_id, n.name_index, n.duplicate_of, p_now
      from unnest(p_contact_tenant, p_contact_id, p_contact_name, p_duplicate_of)
        as n (tenant, contact_id, name_index, duplicate_of);
  end if;

  if cardinality(p_held_handle) > 0 then
    insert into vault.contact_handles (tenant_id, handle_id, contact_id, name_index, since)
    select p_tenants[n.tenant], n.handle_id, n.contact_id, n.name_index, p_now
      from unnest(p_holding_tenant, p_held_handle, p_holder, p_held_name)
        as n (tenant, handle_id, contact_id, name_index)
        on conflict do nothing;
    get diagnostics v_rows = row_count;
    v_added := v_added + v_rows;
  end if;

  if cardinality(p_named_contact) > 0 then
    update vault.contacts c set name_index = n.name_index
      from unnest(p_named_tenant, p_named_contact, p_first_name) as n (tenant, contact_id, name_index)
     where c.tenant_id = p_tenants[n.tenant] and c.contact_id = n.contact_id and c.name_index is null;
    get diagnostics v_rows = row_count;
    v_added := v_added + v_rows;
  end if;

  if cardinality(p_call_subject) > 0 then
    insert into vault.call_subjects (tenant_id, blind_index, subject_id, epoch, created_at)
    select p_tenants[n.tenant], n.blind_index, n.subject_id, p_epochs[n.tenant], p_now
      from unnest(p_call_tenant, p_call_index, p_call_subject) as n (tenant, blind_index, subject_id)
        on conflict do nothing;
    get diagnostics v_rows = row_count;
    v_added := v_added + v_rows;
  end if;

  if cardinality(p_key_subject) > 0 then
    insert into vault.subject_keys (tenant_id, subject_id, generation, epoch, wrapped, fingerprint, created_at)
    select p_tenants[n.tenant], n.subject_id, 1, p_epochs[n.tenant], n.wrapped, n.fingerprint, p_now
      from unnest(p_key_tenant, p_key_subject, p_wrapped, p_fingerprint)
        as n (tenant, subject_id, wrapped, fingerprint);
  end if;
  return v_added;
end
$body$;
comment on function vault.add_subjects is
  'Adds what messages of many tenants make new; returns how many handles, holdings, names and own subjects were. Parallel arrays; tenants by their index. Security definer over every tenant: only the vault calls it.';

revoke all on function vault.find_subjects, vault.find_keys, vault.add_subjects from public;
grant execute on function vault.find_subjects, vault.find_keys, vault.add_subjects to ledger_app;

reset role;
