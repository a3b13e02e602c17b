-- A source may have a signature scheme of its own: headers, algorithm, what is signed.
set role ledger_owner;

alter table ledger.sources add column signature text;
comment on column ledger.sources.signature is 'How its requests are signed, as JSON; null where the platform''s usual proofs are accepted. The secret is not in it.';

drop function ledger.find_source(uuid);
create function ledger.find_source(p_source_id uuid)
  returns table (tenant_id uuid, provider text, secret_sealed bytea, record_all boolean, assistant_id text, country text, signature text)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
begin atomic
  select s.tenant_id, s.provider, s.secret_sealed, s.record_all, s.assistant_id, t.country, s.signature
    from ledger.sources s
    left join ledger.tenants t on t.tenant_id = s.tenant_id
   where s.source_id = p_source_id and s.disabled_at is null;
end;
comment on function ledger.find_source(uuid) is 'The live source of this id, whatever tenant it belongs to, with that tenant''s country.';
revoke all on function ledger.find_source(uuid) from public;
grant execute on function ledger.find_source(uuid) to ledger_app;

reset role;
