-- Kinds and reasons of webhook counts in standard terms, as the error codes have them.
set role ledger_owner;

update ledger.source_counts
   set kind = case kind
                when 'unproven' then 'unauthenticated'
                when 'unread' then 'incomplete'
                when 'unreadable' then 'unparsable'
                else kind
              end,
       reason = case reason
                  when 'proof-missing' then 'signature-missing'
                  when 'proof-wrong' then 'signature-invalid'
                  when 'proof-stale' then 'signature-expired'
                  when 'proof-repeated' then 'signature-repeated'
                  when 'proof-unread' then 'signature-unchecked'
                  when 'body-broken' then 'body-incomplete'
                  when 'body-encoded' then 'unsupported-content-encoding'
                  when 'body-wrong-shape' then 'unrecognized-message'
                  when 'body-too-many-values' then 'body-too-complex'
                  when 'stopping' then 'shutting-down'
                  when 'unanswered' then 'client-disconnected'
                  else reason
                end
 where kind in ('unproven', 'unread', 'unreadable')
    or reason in ('proof-missing', 'proof-wrong', 'proof-stale', 'proof-repeated', 'proof-unread', 'body-broken',
                  'body-encoded', 'body-wrong-shape', 'body-too-many-values', 'stopping', 'unanswered');

comment on column ledger.source_counts.kind   is 'The type of the message when it is a known one, else other; incomplete, unparsable or unauthenticated when no type was read or the sender was not verified.';
comment on column ledger.source_counts.reason is 'The code of the refusal or failure, of a closed list; empty when the webhook was accepted.';

reset role;
