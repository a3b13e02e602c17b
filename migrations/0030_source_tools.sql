-- What a source says about the tools of its voice agents; see docs/decisions/0047-tools-of-a-source.md.
set role ledger_owner;

alter table ledger.sources add column tools text;
comment on column ledger.sources.tools is 'Further names of tools and how answers are spoken, as JSON; null for the names that are built in and the words of the model.';

drop function ledger.find_source(uuid);
create function ledger.find_source(p_source_id uuid)
  returns table (tenant_id uuid, provider text, secret_sealed bytea, record_all boolean, assistant_id text,
                 country text, signature text, state text, old_secret_sealed bytea, old_secret_until timestamptz,
                 tools text)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
begin atomic
  select s.tenant_id, s.provider, s.secret_sealed, s.record_all, s.assistant_id, t.country, s.signature,
         t.state, s.old_secret_sealed, s.old_secret_until, s.tools
    from ledger.sources s
    left join ledger.tenants t on t.tenant_id = s.tenant_id
   where s.source_id = p_source_id and s.disabled_at is null;
end;
comment on function ledger.find_source(uuid) is 'The live source of this id, whatever tenant it belongs to, with that tenant''s country and state.';
revoke all on function ledger.find_source(uuid) from public;
grant execute on function ledger.find_source(uuid) to ledger_app;

drop trigger changed on ledger.sources;
create trigger changed after update of disabled_at, secret_sealed, old_secret_sealed, old_secret_until,
                                       record_all, assistant_id, signature, tools on ledger.sources
  for each row execute function ledger.notify_change();

reset role;
