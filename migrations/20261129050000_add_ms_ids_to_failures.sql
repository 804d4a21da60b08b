-- Failed customers get the two ids by which Microsoft's support finds the call. Rows from before
-- have none.
-- Locks sync_customer for a moment: columns without a default are not written to the rows.

alter table sync_customer
    add column ms_request_id uuid,
    add column ms_correlation_id uuid;

comment on column sync_customer.ms_request_id
    is 'The MS-RequestId of the last call of a customer that failed, by which Microsoft''s support '
    'finds it; null for a success, and where no request was sent or no single call failed.';
comment on column sync_customer.ms_correlation_id is 'The MS-CorrelationId of the same call.';
