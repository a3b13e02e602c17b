-- The read model "due": tasks, and the reminders of appointments that are still to take place.
set role ledger_owner;

create schema due_v1;
comment on schema due_v1 is 'A version of the read model "due".';
grant usage on schema due_v1 to ledger_app, ledger_projector;

create table due_v1.tasks (
  tenant_id        uuid not null,
  task_id          uuid not null,
  kind             text not null,
  status           text not null,
  due_at           timestamptz not null,
  contact_id       uuid,
  call_id          uuid,
  appointment_id   uuid,
  origin           text not null,
  created_position bigint not null,
  position         bigint not null,
  created_at       timestamptz not null,
  closed_at        timestamptz,
  primary key (tenant_id, task_id)
);
create index tasks_open           on due_v1.tasks (tenant_id, due_at, task_id) where status = 'open';
create index tasks_by_due         on due_v1.tasks (tenant_id, due_at desc, task_id desc);
create index tasks_by_status      on due_v1.tasks (tenant_id, status, due_at desc, task_id desc);
create index tasks_by_contact     on due_v1.tasks (tenant_id, contact_id, due_at desc, task_id desc) where contact_id is not null;
create index tasks_by_call        on due_v1.tasks (tenant_id, call_id, due_at desc, task_id desc) where call_id is not null;
create index tasks_by_appointment on due_v1.tasks (tenant_id, appointment_id, due_at desc, task_id desc) where appointment_id is not null;
comment on table  due_v1.tasks is 'One row per task: what its events come to. Its text is in the log only.';
comment on column due_v1.tasks.tenant_id is 'The tenant of the task.';
comment on column due_v1.tasks.task_id is 'Id of the task, and of its stream.';
comment on column due_v1.tasks.kind is 'follow_up, call_back or review.';
comment on column due_v1.tasks.status is 'open, done or cancelled.';
comment on column due_v1.tasks.due_at is 'Time at which it is due.';
comment on column due_v1.tasks.contact_id is 'The person that it is about.';
comment on column due_v1.tasks.call_id is 'The call that it is about.';
comment on column due_v1.tasks.appointment_id is 'The appointment that it is about.';
comment on column due_v1.tasks.origin is 'person, or tool for a tool call whose outcome could not be confirmed.';
comment on column due_v1.tasks.created_position is 'Position of the event that made it; its text is sealed in that event.';
comment on column due_v1.tasks.position is 'Position of the last event in it.';
comment on column due_v1.tasks.created_at is 'Time at which it was made.';
comment on column due_v1.tasks.closed_at is 'Time at which it was done or cancelled.';

create table due_v1.open_appointments (
  tenant_id      uuid not null,
  appointment_id uuid not null,
  contact_id     uuid not null,
  call_id        uuid,
  starts_at      timestamptz not null,
  primary key (tenant_id, appointment_id)
);
comment on table  due_v1.open_appointments is 'One row per appointment that is pending or confirmed: what its reminders are made from.';
comment on column due_v1.open_appointments.tenant_id is 'The tenant of the appointment.';
comment on column due_v1.open_appointments.appointment_id is 'Id of the appointment.';
comment on column due_v1.open_appointments.contact_id is 'The person that it is for.';
comment on column due_v1.open_appointments.call_id is 'The call in which it was booked.';
comment on column due_v1.open_appointments.starts_at is 'Start of the appointment.';

create table due_v1.reminders (
  tenant_id      uuid not null,
  appointment_id uuid not null,
  offset_minutes int not null,
  due_at         timestamptz not null,
  starts_at      timestamptz not null,
  contact_id     uuid not null,
  call_id        uuid,
  primary key (tenant_id, appointment_id, offset_minutes)
);
-- The offset comes first: for one offset, the reminders of appointments that have not begun are a range of due times.
create index reminders_by_offset on due_v1.reminders (tenant_id, offset_minutes, due_at, appointment_id);
comment on table  due_v1.reminders is 'One row per reminder of an appointment that is pending or confirmed.';
comment on column due_v1.reminders.tenant_id is 'The tenant of the appointment.';
comment on column due_v1.reminders.appointment_id is 'Id of the appointment.';
comment on column due_v1.reminders.offset_minutes is 'Minutes between the reminder and the start of the appointment.';
comment on column due_v1.reminders.due_at is 'Time at which it is due.';
comment on column due_v1.reminders.starts_at is 'Start of the appointment.';
comment on column due_v1.reminders.contact_id is 'The person that the appointment is for.';
comment on column due_v1.reminders.call_id is 'The call in which it was booked.';

select projection.secure('due_v1.tasks');
select projection.secure('due_v1.open_appointments');
select projection.secure('due_v1.reminders');

insert into projection.versions (tenant_id, projection, version, shape, state, indexed_at, promoted_at)
values ('00000000-0000-0000-0000-000000000000', 'due', 1, 1, 'active', clock_timestamp(), clock_timestamp());
select projection.show_version('due', 1);

reset role;
