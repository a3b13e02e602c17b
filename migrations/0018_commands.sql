-- Commands that can be repeated: the answers to requests with an Idempotency-Key, and a lock for decisions that depend on a
-- stream without appending to it; see docs/decisions/0028-command-path.md.
set role ledger_owner;

create table ledger.command_answers (
  tenant_id     uuid        not null,
  key_digest    bytea       not null,
  command_id    uuid        not null,
  content       bytea       not null,
  seed_sealed   bytea       not null,
  answer_sealed bytea,
  claimed_until timestamptz not null,
  created_at    timestamptz not null,
  expires_at    timestamptz not null,
  primary key (tenant_id, key_digest),
  constraint command_answers_key_digest_sha256 check (length(key_digest) = 32),
  constraint command_answers_content_sha256 check (length(content) = 32)
);
create index command_answers_by_expiry on ledger.command_answers (tenant_id, expires_at);
comment on table  ledger.command_answers               is 'Requests with an Idempotency-Key and their answers, for a day. The log has what they recorded for good.';
comment on column ledger.command_answers.tenant_id     is 'The tenant of the API key; nil for a key of the installation.';
comment on column ledger.command_answers.key_digest    is 'Keyed digest of the API key''s id and the Idempotency-Key.';
comment on column ledger.command_answers.command_id    is 'The command: ids of its events and of what it creates are derived from it.';
comment on column ledger.command_answers.content       is 'Keyed digest of method, path, query and body.';
comment on column ledger.command_answers.seed_sealed   is 'The seed of the secrets that the command creates, sealed under the tenant''s epoch key.';
comment on column ledger.command_answers.answer_sealed is 'The answer, sealed under the tenant''s epoch key; null while there is none.';
comment on column ledger.command_answers.claimed_until is 'Until then the request runs; without an answer a repetition runs it again afterwards.';
comment on column ledger.command_answers.created_at    is 'Time of the first request, by our clock.';
comment on column ledger.command_answers.expires_at    is 'Time after which the same Idempotency-Key is another command.';

alter table ledger.command_answers enable row level security;
alter table ledger.command_answers force  row level security;

create policy owner_all  on ledger.command_answers to ledger_owner using (true) with check (true);
create policy app_tenant on ledger.command_answers to ledger_app using (tenant_id = (select ledger.tenant_in_force()));

grant select, insert, update, delete on ledger.command_answers to ledger_app;

create function ledger.lock_tenant(p_tenant_id uuid) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
begin
  if p_tenant_id is distinct from ledger.tenant_in_force() then
    raise exception 'a transaction locks its own tenant only' using errcode = 'LG003';
  end if;
  perform from ledger.tenants t where t.tenant_id = p_tenant_id for no key update;
end
$body$;
comment on function ledger.lock_tenant(uuid) is 'Locks the order of the tenant''s log until the end of the transaction, as ledger.append does.';
revoke all on function ledger.lock_tenant(uuid) from public;
grant execute on function ledger.lock_tenant(uuid) to ledger_app;

reset role;
