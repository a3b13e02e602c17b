-- The read model "appointments": one row per appointment, folded from the stream of each.
set role ledger_owner;

create schema appointments_v1;
comment on schema appointments_v1 is 'A version of the read model "appointments".';
grant usage on schema appointments_v1 to ledger_app, ledger_projector;

create table appointments_v1.appointments (
  tenant_id            uuid not null,
  appointment_id       uuid not null,
  contact_id           uuid not null,
  booked_by_contact_id uuid,
  service              text,
  resource             text not null,
  scheduled_at         timestamptz not null,
  ends_at              timestamptz not null,
  duration_minutes     int not null,
  status               text not null,
  call_id              uuid,
  price_cents          bigint,
  currency             text,
  settings_version     bigint not null,
  history              text not null,
  party                bytea,
  booked_position      bigint not null,
  position             bigint not null,
  created_at           timestamptz not null,
  updated_at           timestamptz not null,
  primary key (tenant_id, appointment_id)
);
create index appointments_by_start    on appointments_v1.appointments (tenant_id, scheduled_at desc, appointment_id desc);
create index appointments_by_contact  on appointments_v1.appointments (tenant_id, contact_id, scheduled_at desc, appointment_id desc);
create index appointments_by_resource on appointments_v1.appointments (tenant_id, resource, scheduled_at desc, appointment_id desc);
create index appointments_by_status   on appointments_v1.appointments (tenant_id, status, scheduled_at desc, appointment_id desc);
create index appointments_by_call     on appointments_v1.appointments (tenant_id, call_id, booked_position desc) where call_id is not null;
comment on table  appointments_v1.appointments is 'One row per appointment: what its events come to.';
comment on column appointments_v1.appointments.tenant_id is 'The tenant of the appointment.';
comment on column appointments_v1.appointments.appointment_id is 'Id of the appointment, and of its stream.';
comment on column appointments_v1.appointments.contact_id is 'The person that it is for.';
comment on column appointments_v1.appointments.booked_by_contact_id is 'The person who booked, if another one.';
comment on column appointments_v1.appointments.service is 'Id of the service; null for an appointment without one.';
comment on column appointments_v1.appointments.resource is 'Id of the resource that it occupies.';
comment on column appointments_v1.appointments.scheduled_at is 'Start of the appointment.';
comment on column appointments_v1.appointments.ends_at is 'End of the appointment; not part of it.';
comment on column appointments_v1.appointments.duration_minutes is 'Minutes from start to end.';
comment on column appointments_v1.appointments.status is 'pending, confirmed, completed, cancelled or no_show.';
comment on column appointments_v1.appointments.call_id is 'The call in which it was booked.';
comment on column appointments_v1.appointments.price_cents is 'Price at the booking, in hundredths of the currency.';
comment on column appointments_v1.appointments.currency is 'ISO 4217 code of the price.';
comment on column appointments_v1.appointments.settings_version is 'Version of the settings that its times were computed from.';
comment on column appointments_v1.appointments.history is 'Its changes in the order of the log, as JSON text: change, status, time, start, actor and position of each. No personal data.';
comment on column appointments_v1.appointments.party is 'Sealed: a copy of the section with the person''s name and numbers, packed as in the log.';
comment on column appointments_v1.appointments.booked_position is 'Position of the event of the booking.';
comment on column appointments_v1.appointments.position is 'Position of the last event in it.';
comment on column appointments_v1.appointments.created_at is 'Time of the booking.';
comment on column appointments_v1.appointments.updated_at is 'The log''s own time at its last change.';

select projection.secure('appointments_v1.appointments');

insert into projection.versions (tenant_id, projection, version, shape, state, indexed_at, promoted_at)
values ('00000000-0000-0000-0000-000000000000', 'appointments', 1, 1, 'active', clock_timestamp(), clock_timestamp());
select projection.show_version('appointments', 1);

reset role;
