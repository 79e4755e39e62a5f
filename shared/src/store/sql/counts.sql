-- Counts for monitoring: invariants and backlogs.
-- Arguments: none. Result: one row. Cost: partial indexes of open rows; finished rows are not read.
SELECT (SELECT count(*) FROM orders WHERE status = 'unpaid' AND pay_by <= now()) AS overdue,
       (SELECT count(*) FROM orders WHERE dirty)
         + (SELECT COALESCE(sum(cardinality(numbers)), 0) FROM unsettled)::bigint AS dirty,
       (SELECT count(*) FROM payments WHERE status = 'unmatched') AS unmatched_payments,
       (SELECT COALESCE(max(epoch_ms(now()) - epoch_ms(received_at)), 0)
        FROM payments WHERE status = 'unmatched') AS oldest_unmatched_ms,
       (SELECT count(*) FROM payments WHERE status = 'unmatched' AND received_at < now()
          - (SELECT COALESCE(max(pay_window_ms), 0) FROM programs) * interval '1 millisecond'
       ) AS unmatched_too_long,
       (SELECT count(*) FROM payments WHERE status IN ('to_refund', 'amount_differs')) AS to_refund,
       (SELECT count(*) FROM parked WHERE state = 'parked') AS parked
