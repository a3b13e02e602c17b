-- A tenant whose time zone changes: its days are those of the new zone, and the stored sums stay in the old one; see
-- docs/decisions/0045-groups-of-commands.md.
set role ledger_owner;

alter table ledger.tenants add column sums_timezone text;
comment on column ledger.tenants.sums_timezone is 'IANA time zone that stored sums and months of usage are counted in: the first one of a tenant whose zone was changed; null otherwise.';

reset role;
