-- The combinations of handles and name of some calls: of all calls of the tenant ($17), of those that used
-- a tool ($18), or of those that the filters find. The plan drops the two branches that are not asked for.
with seen as materialized (
  select person_id, bool_or(is_test) as is_test
    from read.calls
   where not $17::boolean
     and not $18::boolean
     and tenant_id = $1
     and started_at >= $2
     and started_at < $3
     and person_id is not null
     and ($4::boolean is null or is_test = $4)
     and ($5::text is null or agent_id = $5)
     and ($6::text is null or direction = $6)
     and ($7::text is null or outcome = $7)
     and ($8::text is null or ended_reason = $8)
     and ($9::text is null or $9 = any (tools_used))
     and ($10::text is null or status = $10)
     and ($11::text is null or provider_call_id = $11
          or call_id = any (array (select n.call_id from read.call_carriers n
                                    where n.tenant_id = $1 and n.carrier_call_id = any ($19::uuid[]))))
     and ($12::text is null or phone_number_id = $12)
     and ($13::bigint is null or cost_nanos >= $13)
     and ($20::boolean is null or is_booked = $20)
     and ($21::text is null or disposition = $21
          or disposition = any ($26::text[]))
     and ($22::text is null or campaign = $22)
     and ($23::bigint is null or attempt = $23)
     and ($24::text is null or call_type = $24
          or call_type = any ($27::text[]))
     and ($25::text is null
          or call_id = any (array (select g.call_id from read.call_tags g
                                    where g.tenant_id = $1 and g.tag = $25
                                      and g.started_at >= $2 and g.started_at < $3)))
     and ($14::uuid is null or (subject_id = $14 and contact_id is not null))
     and ($15::uuid[] is null
          or call_id = any (array (select h.call_id from read.call_handles h
                                    where h.tenant_id = $1 and h.handle_id = any ($15)
                                      and h.started_at >= $2 and h.started_at < $3)))
     and ($16::uuid[] is null
          or call_id = any (array (select h.call_id from read.call_handles h
                                    where h.tenant_id = $1 and h.handle_id = any ($16)
                                      and h.started_at >= $2 and h.started_at < $3)))
   group by person_id
  union all
  select person_id, bool_or(is_test)
    from read.call_tools
   where $18
     and tenant_id = $1
     and tool = $9
     and started_at >= $2
     and started_at < $3
     and person_id is not null
     and ($4 is null or is_test = $4)
   group by person_id
), sharing as materialized (
  -- A combination that shares no handle with another is one person.
  select distinct person_id from read.caller_handles where tenant_id = $1 and is_shared
), combined as materialized (
  -- One look-up for each: few combinations share a handle, and the planner would read all of them.
  select c.handles, c.holders, c.has_external_id
    from (select person_id, $4 as is_test from sharing where $17
          union all
          select s.person_id, s.is_test from seen s join sharing o on o.person_id = s.person_id) k
   cross join lateral (
      select handles, holders, has_external_id from read.callers
       where tenant_id = $1 and is_test = k.is_test and person_id = k.person_id
      offset 0) c
), nodes as materialized (
  -- Only a call with a name and several handles connects handles.
  select distinct t.handles[1] as strongest, t.holders[1] as strongest_holder, t.has_external_id,
         n.handle, n.holder
    from combined t
   cross join lateral unnest(t.handles, t.holders) as n (handle, holder)
   where t.holders is not null
     and exists (select from combined where holders is not null and cardinality(handles) > 1)
), shared as (
  select array_agg(n.strongest) as strongest, array_agg(n.strongest_holder) as strongest_holders,
         array_agg(n.has_external_id) as have_external_id, array_agg(n.handle) as shared,
         array_agg(n.holder) as shared_holders
    from nodes n
    join (select handle, holder from nodes group by handle, holder having count(*) > 1) k
      on k.handle = n.handle and k.holder = n.holder
)
select (select count(*) from read.callers where $17 and tenant_id = $1 and is_test = $4)
         + (select count(*) from seen) as "all!",
       (select count(*) from combined) as "sharing!",
       (select count(*)
          from (select handles[1] from combined where holders is null
                except
                (select handles[1] from combined where holders is not null
                 union all
                 select unnest(handles[2:]) from combined where cardinality(handles) > 1)) n) as "nameless!",
       (select count(*)
          from (select distinct handles[1], holders[1] from combined where holders is not null) n) as "named!",
       coalesce(s.strongest, '{}') as "strongest!",
       coalesce(s.strongest_holders, '{}') as "strongest_holders!",
       coalesce(s.have_external_id, '{}') as "have_external_id!",
       coalesce(s.shared, '{}') as "shared!",
       coalesce(s.shared_holders, '{}') as "shared_holders!"
  from shared s
