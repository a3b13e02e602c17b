-- The place of the decision to drop an event: rows that lose an event after they were folded change at that position of
-- the log. Events that were dropped before have none: they had never been folded.
set role ledger_owner;

alter table projection.dropped add column decided bigint;
comment on column projection.dropped.decided is 'The position of the event that records the decision; null for decisions of older builds.';
comment on table projection.dropped is 'Events that a read model leaves out, in every version of it. The log keeps them, and the decision.';

reset role;
