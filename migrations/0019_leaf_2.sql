-- The second format of the leaf hash: sections by their digests, which are stored beside them, so that
-- the log can still be verified after the bytes of a section are removed. Rows without digests keep the
-- first format; see docs/decisions/0027-types-and-leaf-2.md.
set role ledger_owner;

alter table ledger.events add column section_digests bytea;
comment on column ledger.events.section_digests is 'Per section a byte for its column and the SHA-256 of its bytes, in stored order; empty without sections. Null in a row whose hash has the format leaf/1.';
comment on column ledger.events.leaf_hash       is 'SHA-256 over the stored fields except position and stream_version; sections by their digests (leaf/2), or by their bytes if there are no digests (leaf/1).';
comment on column ledger.events.stream_id       is 'The call, chat, session, delivery or tenant this is about, or the accesses of one actor on one day.';
comment on column ledger.events.stream_kind     is 'call, chat, session, delivery, tenant or access.';

-- The append as before, with the digests of the sections. A build that does not know them leaves the
-- parameter out and writes the first format.
drop function ledger.append(
  uuid[], uuid[], int[], text[], int[], int[], bigint[], uuid[], text[], smallint[], timestamptz[], timestamptz[],
  text[], bytea[], bytea[], text[], text[], bytea[]);

create function ledger.append(
  p_tenants       uuid[],
  p_streams       uuid[],
  p_stream_tenant int[],
  p_stream_kind   text[],
  p_request       int[],
  p_stream        int[],
  p_expected      bigint[],
  p_event_id      uuid[],
  p_event_type    text[],
  p_schema        smallint[],
  p_occurred_at   timestamptz[],
  p_recorded_at   timestamptz[],
  p_facts         text[],
  p_sections      bytea[],
  p_bulk          bytea[],
  p_subjects      text[],
  p_meta          text[],
  p_leaf_hash     bytea[],
  p_section_digests bytea[] default null
) returns table (request int, status text, first_position bigint, last_position bigint, actual bigint, reason text)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
  set enable_sort = off
  set jit = off
as $body$
#variable_conflict use_column
declare
  n          constant int := cardinality(p_event_id);
  -- What a tenant's log takes in every state, beside access.*: what withdraws a credential or changes
  -- the state.
  c_always   constant text[] := array['tenant.key_revoked', 'tenant.source_disabled',
    'tenant.source_secret_rotated', 'tenant.state_changed'];
  v_state    text[];     -- per tenant: its state; null when there is no such tenant
  v_head     bigint[];   -- per tenant: its last position so far
  v_version  bigint[];   -- per stream: its last version so far
  v_known    bigint[];   -- per event: where its id already stands
  v_earlier  int[];      -- per event: the same id earlier in this batch
  v_position bigint[];   -- per event: the position it is given; null when it is not appended
  v_number   bigint[];   -- per event: the version it is given
  v_open     boolean;    -- the tenant takes the events of this request
  v_usual    boolean;    -- nothing was seen before, nothing twice, and every expectation holds
  v_first    int;        -- the events of one request are v_first .. v_last
  v_last     int;
  v_tenant   int;
  v_found    int;
  v_low      bigint;
  v_high     bigint;
  v_actual   bigint;
  v_status   text;
  v_reason   text;
  o_request  int[]    := '{}';
  o_status   text[]   := '{}';
  o_low      bigint[] := '{}';
  o_high     bigint[] := '{}';
  o_actual   bigint[] := '{}';
  o_reason   text[]   := '{}';
begin
  -- A later statement must see what was committed before the lock was ours.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'append needs read committed' using errcode = 'LG002';
  end if;
  if n = 0 then
    return;
  end if;

  -- A lone event: the same lock and the same look-ups, without sets.
  if n = 1 then
    perform from ledger.tenants t where t.tenant_id = p_tenants[1] for no key update;

    select array[(select t.state from ledger.tenants t where t.tenant_id = p_tenants[1])],
           array[coalesce((select e.position from ledger.events e
                            where e.tenant_id = p_tenants[1]
                            order by e.position desc limit 1), 0)],
           array[coalesce((select e.stream_version from ledger.events e
                            where e.tenant_id = p_tenants[1] and e.stream_id = p_streams[1]
                            order by e.stream_version desc limit 1), 0)],
           array[(select e.position from ledger.events e
                   where e.tenant_id = p_tenants[1]
                     and e.event_id >= p_event_id[1] and e.event_id <= p_event_id[1]
                   order by e.event_id limit 1)]
      into v_state, v_head, v_version, v_known;

    v_open := coalesce(v_state[1] = 'active'
                       or v_state[1] is not null and (p_event_type[1] like 'access.%' or p_event_type[1] = any (c_always)), false);
    if v_open and v_known[1] is null and coalesce(p_expected[1] = v_version[1], true) then
      insert into ledger.events (
        tenant_id, position, stream_id, stream_kind, stream_version, event_id, event_type, schema_version,
        occurred_at, recorded_at, facts, sections, bulk, subjects, meta, leaf_hash, section_digests)
      values (
        p_tenants[1], v_head[1] + 1, p_streams[1], p_stream_kind[1], v_version[1] + 1, p_event_id[1],
        p_event_type[1], p_schema[1], p_occurred_at[1], p_recorded_at[1], p_facts[1]::json, p_sections[1],
        p_bulk[1], p_subjects[1]::uuid[], p_meta[1]::json, p_leaf_hash[1],
        p_section_digests[1]);
      return query select p_request[1], 'appended'::text, v_head[1] + 1, v_head[1] + 1, null::bigint, null::text;
      return;
    end if;
    v_usual := false;
  else
    -- The order lock, held to the commit; a statement of its own, in sorted order.
    perform from ledger.tenants t
      where t.tenant_id = any (p_tenants)
      order by t.tenant_id
        for no key update;

    -- Each look-up asks for an order that only the right index gives: a plan cached while the table
    -- was small would otherwise read a tenant's whole log for each of them.
    select (select array_agg(t.state order by a.nth)
              from unnest(p_tenants) with ordinality a (tenant_id, nth)
              left join ledger.tenants t on t.tenant_id = a.tenant_id),
           (select array_agg(coalesce(h.position, 0) order by a.nth)
              from unnest(p_tenants) with ordinality a (tenant_id, nth)
              left join lateral (
                select e.position from ledger.events e
                 where e.tenant_id = a.tenant_id
                 order by e.position desc limit 1) h on true),
           (select array_agg(coalesce(h.stream_version, 0) order by a.nth)
              from unnest(p_streams, p_stream_tenant) with ordinality a (stream_id, tenant, nth)
              left join lateral (
                select e.stream_version from ledger.events e
                 where e.tenant_id = p_tenants[a.tenant] and e.stream_id = a.stream_id
                 order by e.stream_version desc limit 1) h on true),
           (select array_agg(k.position order by a.nth)
              from unnest(p_stream, p_event_id) with ordinality a (stream, event_id, nth)
              left join lateral (
                select e.position from ledger.events e
                 where e.tenant_id = p_tenants[p_stream_tenant[a.stream]]
                   and e.event_id >= a.event_id and e.event_id <= a.event_id
                 order by e.event_id limit 1) k on true)
      into v_state, v_head, v_version, v_known;

    -- The usual batch: every request appended, in order, as far as that holds.
    select array_agg(w.position order by w.nth), array_agg(w.number order by w.nth),
           bool_and(coalesce(v_state[w.tenant] = 'active', false) and w.known is null
                    and coalesce(w.expected = w.number - 1, true) and w.tenant = w.of_request)
             and count(distinct w.event_id) = n
      into v_position, v_number, v_usual
      from (select a.nth, a.event_id, a.expected, a.known, p_stream_tenant[a.stream] as tenant,
                   min(p_stream_tenant[a.stream]) over (partition by a.request) as of_request,
                   v_head[p_stream_tenant[a.stream]]
                     + row_number() over (partition by p_stream_tenant[a.stream] order by a.nth) as position,
                   v_version[a.stream] + row_number() over (partition by a.stream order by a.nth) as number
              from unnest(p_request, p_stream, p_expected, p_event_id, v_known) with ordinality
                as a (request, stream, expected, event_id, known, nth)) w;
  end if;

  if not v_usual then
    if (select count(distinct id) from unnest(p_event_id) id) < n then
      select array_agg(w.earlier order by w.nth)
        into v_earlier
        from (select a.nth, (lag(a.nth) over (partition by p_stream_tenant[a.stream], a.event_id order by a.nth))::int as earlier
                from unnest(p_stream, p_event_id) with ordinality a (stream, event_id, nth)) w;
    end if;

    v_position := array_fill(null::bigint, array[n]);
    v_number := v_position;

    -- Otherwise one request after the other, as if each were alone. A known request is a duplicate
    -- before it is a conflict: a retry gets its first answer, not a quarrel with itself.
    v_first := 1;
    while v_first <= n loop
      v_last := v_first;
      while v_last < n and p_request[v_last + 1] = p_request[v_first] loop
        v_last := v_last + 1;
      end loop;

      v_tenant := p_stream_tenant[p_stream[v_first]];
      v_found := 0; v_low := null; v_high := null; v_actual := null; v_reason := null;
      v_open := v_state[v_tenant] is not null;
      for i in v_first .. v_last loop
        if v_state[v_tenant] <> 'active' and p_event_type[i] not like 'access.%' and p_event_type[i] <> all (c_always) then
          v_open := false;
        end if;
        if p_stream_tenant[p_stream[i]] <> v_tenant then
          v_reason := 'several_tenants';
        end if;
        if v_known[i] is null and v_earlier[i] is not null then
          if v_earlier[i] >= v_first then
            v_reason := 'event_id_repeated';
          else
            v_known[i] := v_known[v_earlier[i]];
          end if;
        end if;
        if v_known[i] is not null then
          v_found := v_found + 1;
          v_low := least(v_low, v_known[i]);
          v_high := greatest(v_high, v_known[i]);
        end if;
        if v_actual is null and p_expected[i] <> v_version[p_stream[i]] then
          v_actual := v_version[p_stream[i]];
        end if;
      end loop;

      if v_reason is not null then
        v_status := 'refused';
      elsif v_found = v_last - v_first + 1 then
        v_status := 'duplicate'; v_actual := null;
      elsif not v_open then
        v_status := 'refused'; v_reason := 'tenant_not_active';
      elsif v_found > 0 then
        v_status := 'refused'; v_reason := 'partly_known';
      elsif v_actual is not null then
        v_status := 'conflict';
      else
        v_status := 'appended';
        v_low := v_head[v_tenant] + 1;
        for i in v_first .. v_last loop
          v_head[v_tenant] := v_head[v_tenant] + 1;
          v_version[p_stream[i]] := v_version[p_stream[i]] + 1;
          v_position[i] := v_head[v_tenant];
          v_number[i] := v_version[p_stream[i]];
          v_known[i] := v_head[v_tenant];
        end loop;
        v_high := v_head[v_tenant];
      end if;

      if v_status in ('refused', 'conflict') then
        v_low := null; v_high := null;
      end if;
      o_request := o_request || p_request[v_first];
      o_status := o_status || v_status;
      o_low := o_low || v_low;
      o_high := o_high || v_high;
      o_actual := o_actual || v_actual;
      o_reason := o_reason || v_reason;
      v_first := v_last + 1;
    end loop;
  end if;

  insert into ledger.events (
    tenant_id, position, stream_id, stream_kind, stream_version, event_id, event_type, schema_version,
    occurred_at, recorded_at, facts, sections, bulk, subjects, meta, leaf_hash, section_digests)
  select p_tenants[p_stream_tenant[a.stream]], a.position, p_streams[a.stream], p_stream_kind[a.stream], a.number,
         a.event_id, a.event_type, a.schema_version, a.occurred_at, a.recorded_at, a.facts::json, a.sections,
         a.bulk, a.subjects::uuid[], a.meta::json, a.leaf_hash, a.section_digests
    -- In the select list: a set in `from` would be copied whole before its first row is stored.
    from (select unnest(p_stream) as stream, unnest(v_position) as position, unnest(v_number) as number,
                 unnest(p_event_id) as event_id, unnest(p_event_type) as event_type, unnest(p_schema) as schema_version,
                 unnest(p_occurred_at) as occurred_at, unnest(p_recorded_at) as recorded_at, unnest(p_facts) as facts,
                 unnest(p_sections) as sections, unnest(p_bulk) as bulk, unnest(p_subjects) as subjects,
                 unnest(p_meta) as meta, unnest(p_leaf_hash) as leaf_hash,
                 unnest(p_section_digests) as section_digests) a
   where a.position is not null;

  if v_usual then
    return query
      select a.request, 'appended'::text, min(a.position), max(a.position), null::bigint, null::text
        from unnest(p_request, v_position) a (request, position)
       group by a.request;
  else
    return query select * from unnest(o_request, o_status, o_low, o_high, o_actual, o_reason);
  end if;
end
$body$;
comment on function ledger.append is
  'Appends many requests of many tenants; one row of answer per request: appended, duplicate (with the first positions), conflict (with the actual version) or refused (with the reason). Security definer over every tenant: only the appender calls it.';
revoke all on function ledger.append from public;
grant execute on function ledger.append to ledger_app;

reset role;
