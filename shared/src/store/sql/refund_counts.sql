-- Counts of refunds for monitoring.
-- Arguments: none. Result: one row. Cost: partial indexes of refunds that are not refunded.
SELECT (SELECT count(*) FROM refunds WHERE state IN ('to_refund', 'handed_out')) AS waiting,
       (SELECT COALESCE(max(epoch_ms(now()) - epoch_ms(created_at)), 0)
        FROM refunds WHERE state IN ('to_refund', 'handed_out')) AS oldest_ms,
       (SELECT count(*) FROM refunds WHERE state = 'refused') AS refused
