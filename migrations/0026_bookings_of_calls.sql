-- A call has the appointments that were booked in it: "call_appointments" keeps the newest state of each, the columns
-- of "calls" have the one that was booked last, and the sums count bookings and their prices. "call_tags" has the tags
-- of each call; disposition, score, campaign, attempt, call type and escalation are columns. Shape 5, for every version
-- there is; the read model is folded again from the log.
set role ledger_owner;

do $$
declare
  v_schema text;
  v_table  text;
begin
  for v_schema in
    select nspname from pg_namespace where nspname ~ '^calls_v[0-9]+$' order by nspname
  loop
    execute format('truncate %1$I.calls, %1$I.carrier_calls, %1$I.call_carriers, %1$I.call_handles, %1$I.call_tools,
                    %1$I.callers, %1$I.caller_handles, %1$I.call_rollups', v_schema);
    -- A row moves between these two as it is, so they have the same columns in the same order.
    foreach v_table in array array['calls', 'carrier_calls'] loop
      execute format('alter table %I.%I
                        add column is_attended              boolean not null,
                        add column is_offered               boolean not null,
                        add column is_engaged               boolean not null,
                        add column is_escalated             boolean not null,
                        add column revenue_currencies       text[] not null,
                        add column revenue_cents            numeric[] not null,
                        add column revenue_counts           bigint[] not null,
                        add column appointment_id           uuid,
                        add column appointment_scheduled_at timestamptz,
                        add column appointment_status       text,
                        add column appointment_service      text,
                        add column tags                     text[] not null,
                        add column disposition              text,
                        add column score                    int,
                        add column campaign                 text,
                        add column attempt                  bigint,
                        add column call_type                text', v_schema, v_table);
      execute format($c$comment on column %I.%I.is_booked is 'An appointment was booked in it, whatever became of the appointment.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.is_attended is 'An appointment that was booked in it took place.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.is_offered is 'A tool told the caller a time that is free, or booked one.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.is_engaged is 'A conversation took place: it lasted half a minute, or a complete turn, a tool call or a transfer was reported.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.is_escalated is 'Marked as escalated.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.revenue_currencies is 'Currencies of the prices of its appointments that are neither cancelled nor missed, ascending.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.revenue_cents is 'Sum of these prices in each of these currencies, in hundredths.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.revenue_counts is 'Number of its appointments with such a price in each of these currencies.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.appointment_id is 'The appointment that was booked last in it.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.appointment_scheduled_at is 'Start of that appointment.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.appointment_status is 'Status of that appointment: pending, confirmed, completed, cancelled or no_show.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.appointment_service is 'Service of that appointment; null for one without a service.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.tags is 'Its tags, sorted.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.disposition is 'Its disposition, as set by a person or a tool.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.score is 'Its score, as set by a person or a tool.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.campaign is 'The campaign that it belongs to.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.attempt is 'Number of the attempt to reach the person, from 1.'$c$, v_schema, v_table);
      execute format($c$comment on column %I.%I.call_type is 'Kind of call in the words of the tenant.'$c$, v_schema, v_table);
    end loop;
    execute format('create index calls_booked on %I.calls (tenant_id, started_at desc, call_id desc) include (person_id, is_test) where is_booked', v_schema);
    execute format('create index calls_by_disposition on %I.calls (tenant_id, disposition, started_at desc, call_id desc) include (person_id, is_test) where disposition is not null', v_schema);
    execute format('create index calls_by_campaign on %I.calls (tenant_id, campaign, started_at desc, call_id desc) include (person_id, is_test) where campaign is not null', v_schema);
    execute format('create index calls_by_attempt on %I.calls (tenant_id, attempt, started_at desc, call_id desc) include (person_id, is_test) where attempt is not null', v_schema);
    execute format('create index calls_by_call_type on %I.calls (tenant_id, call_type, started_at desc, call_id desc) include (person_id, is_test) where call_type is not null', v_schema);

    execute format('alter table %I.call_rollups
                      add column engaged            bigint not null,
                      add column offered            bigint not null,
                      add column attended           bigint not null,
                      add column revenue_currencies text[] not null,
                      add column revenue_cents      numeric[] not null,
                      add column revenue_counts     bigint[] not null', v_schema);
    execute format($c$comment on column %I.call_rollups.booked is 'Those in which an appointment was booked.'$c$, v_schema);
    execute format($c$comment on column %I.call_rollups.engaged is 'Those with a conversation.'$c$, v_schema);
    execute format($c$comment on column %I.call_rollups.offered is 'Those in which a free time was told or booked.'$c$, v_schema);
    execute format($c$comment on column %I.call_rollups.attended is 'Those of which an appointment took place.'$c$, v_schema);
    execute format($c$comment on column %I.call_rollups.revenue_currencies is 'Currencies of the prices of their appointments, ascending.'$c$, v_schema);
    execute format($c$comment on column %I.call_rollups.revenue_cents is 'Sum of these prices in each of these currencies, in hundredths.'$c$, v_schema);
    execute format($c$comment on column %I.call_rollups.revenue_counts is 'Number of appointments with such a price in each of these currencies.'$c$, v_schema);

    -- The unique constraint is there while a version is filled, when it has no other index.
    execute format('create table %I.call_appointments (
                      tenant_id       uuid        not null,
                      call_id         uuid        not null,
                      appointment_id  uuid        not null,
                      status          text        not null,
                      scheduled_at    timestamptz not null,
                      service         text,
                      price_cents     bigint,
                      currency        text,
                      booked_position bigint      not null,
                      position        bigint      not null,
                      primary key (tenant_id, call_id, appointment_id),
                      constraint call_appointments_appointment unique (tenant_id, appointment_id))', v_schema);
    execute format($c$comment on table  %I.call_appointments is 'The appointments that were booked in each call, as their own events state them.'$c$, v_schema);
    execute format($c$comment on column %I.call_appointments.tenant_id is 'Tenant of the calls.'$c$, v_schema);
    execute format($c$comment on column %I.call_appointments.call_id is 'The call in which it was booked, reported or not.'$c$, v_schema);
    execute format($c$comment on column %I.call_appointments.appointment_id is 'Id of the appointment, and of its stream.'$c$, v_schema);
    execute format($c$comment on column %I.call_appointments.status is 'pending, confirmed, completed, cancelled or no_show.'$c$, v_schema);
    execute format($c$comment on column %I.call_appointments.scheduled_at is 'Start of the appointment.'$c$, v_schema);
    execute format($c$comment on column %I.call_appointments.service is 'Id of the service; null for an appointment without one.'$c$, v_schema);
    execute format($c$comment on column %I.call_appointments.price_cents is 'Price at the booking, in hundredths of the currency.'$c$, v_schema);
    execute format($c$comment on column %I.call_appointments.currency is 'ISO 4217 code of the price.'$c$, v_schema);
    execute format($c$comment on column %I.call_appointments.booked_position is 'Position of the event of the booking.'$c$, v_schema);
    execute format($c$comment on column %I.call_appointments.position is 'Position of the last event in it.'$c$, v_schema);
    perform projection.secure(format('%I.call_appointments', v_schema)::regclass);

    execute format('create table %I.call_tags (
                      tenant_id  uuid        not null,
                      tag        text        not null,
                      call_id    uuid        not null,
                      started_at timestamptz not null,
                      primary key (tenant_id, tag, call_id))', v_schema);
    execute format('create index call_tags_by_start on %I.call_tags (tenant_id, tag, started_at desc, call_id desc)', v_schema);
    execute format($c$comment on table  %I.call_tags is 'The tags of each record, to page through the calls of a tag.'$c$, v_schema);
    execute format($c$comment on column %I.call_tags.tenant_id is 'Tenant of the calls.'$c$, v_schema);
    execute format($c$comment on column %I.call_tags.tag is 'The tag.'$c$, v_schema);
    execute format($c$comment on column %I.call_tags.call_id is 'The record.'$c$, v_schema);
    execute format($c$comment on column %I.call_tags.started_at is 'Start of the record.'$c$, v_schema);
    perform projection.secure(format('%I.call_tags', v_schema)::regclass);
  end loop;
end
$$;
update projection.versions set shape = 5 where projection = 'calls';
delete from projection.checkpoints where projection = 'calls';
delete from projection.parked where projection = 'calls';
select projection.show_version('calls', version)
  from projection.versions
 where projection = 'calls' and state = 'active' and tenant_id = '00000000-0000-0000-0000-000000000000';

reset role;
