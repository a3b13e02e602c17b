-- What a batch of messages makes new; returns how many handles, holdings, names and own subjects were.
with handles as (
  insert into vault.handles (tenant_id, handle_id, kind, blind_index, epoch, created_at)
  select $1, handle_id, kind, blind_index, $2, $3
    from unnest($4::uuid[], $5::text[], $6::bytea[]) as n (handle_id, kind, blind_index)
      on conflict do nothing
  returning 1
), contacts as (
  insert into vault.contacts
    (tenant_id, contact_id, name_index, possible_duplicate_of, created_at)
  select $1, contact_id, name_index, possible_duplicate_of, $3
    from unnest($7::uuid[], $8::bytea[], $9::uuid[])
      as n (contact_id, name_index, possible_duplicate_of)
), holdings as (
  insert into vault.contact_handles (tenant_id, handle_id, contact_id, name_index, since)
  select $1, handle_id, contact_id, name_index, $3
    from unnest($10::uuid[], $11::uuid[], $12::bytea[])
      as n (handle_id, contact_id, name_index)
      on conflict do nothing
  returning 1
), names as (
  update vault.contacts c set name_index = n.name_index
    from unnest($13::uuid[], $14::bytea[]) as n (contact_id, name_index)
   where c.tenant_id = $1 and c.contact_id = n.contact_id and c.name_index is null
  returning 1
), own as (
  insert into vault.call_subjects (tenant_id, blind_index, subject_id, epoch, created_at)
  select $1, blind_index, subject_id, $2, $3
    from unnest($15::bytea[], $16::uuid[]) as n (blind_index, subject_id)
      on conflict do nothing
  returning 1
), keys as (
  insert into vault.subject_keys
    (tenant_id, subject_id, generation, epoch, wrapped, fingerprint, created_at)
  select $1, subject_id, 1, $2, wrapped, fingerprint, $3
    from unnest($17::uuid[], $18::bytea[], $19::bytea[])
      as n (subject_id, wrapped, fingerprint)
)
select (select count(*) from handles) + (select count(*) from holdings)
     + (select count(*) from names) + (select count(*) from own) as "written!"
