-- What a tenant's plan includes in a billing month: usage is shown against it, nothing is refused.
set role ledger_owner;

create table ledger.plan_limits (
  tenant_id  uuid        primary key,
  calls      bigint,
  minutes    bigint,
  cost_nanos bigint,
  events     bigint,
  updated_at timestamptz not null,
  constraint plan_limits_above_zero check (calls > 0 and minutes > 0 and cost_nanos > 0 and events > 0)
);
comment on table  ledger.plan_limits            is 'What a tenant''s plan includes in a billing month. A tenant without a row has no limits; the log has every change.';
comment on column ledger.plan_limits.tenant_id  is 'Whose plan.';
comment on column ledger.plan_limits.calls      is 'Calls; null when they are not limited.';
comment on column ledger.plan_limits.minutes    is 'Minutes of calls; null when they are not limited.';
comment on column ledger.plan_limits.cost_nanos is 'What the calls may cost, in nano-dollars; null when that is not limited.';
comment on column ledger.plan_limits.events     is 'Events in the log; null when they are not limited.';
comment on column ledger.plan_limits.updated_at is 'Our clock, when they were last set.';

alter table ledger.plan_limits enable row level security;
alter table ledger.plan_limits force  row level security;

create policy owner_all  on ledger.plan_limits to ledger_owner using (true) with check (true);
create policy app_tenant on ledger.plan_limits to ledger_app using (tenant_id = (select ledger.tenant_in_force()));

grant select on ledger.plan_limits to ledger_app;

reset role;
