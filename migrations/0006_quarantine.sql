-- What becomes of a quarantined message: once a route says whose it is, it is replayed, once.
set role ledger_owner;

alter table ledger.quarantine
  add column content_sealed    bytea,
  add column replayed_at       timestamptz,
  add column replayed_to       uuid,
  add column replayed_position bigint,
  add constraint quarantine_replayed_whole
    check (num_nulls(replayed_at, replayed_to, replayed_position) in (0, 3));

comment on column ledger.quarantine.content_sealed    is 'Sealed: the name of the content as it was sent, by which a message that comes again later is known. Null on entries older than this column: the body names them.';
comment on column ledger.quarantine.replayed_at       is 'Our clock, when a tenant''s log had taken it; null while it waits.';
comment on column ledger.quarantine.replayed_to       is 'The tenant whose log took it.';
comment on column ledger.quarantine.replayed_position is 'Where in that log it is.';

-- What waits is few and asked for at every scrape of the metrics; what was replayed stays listed.
create index quarantine_waiting on ledger.quarantine (tenant_id, quarantine_id) where replayed_at is null;

reset role;
