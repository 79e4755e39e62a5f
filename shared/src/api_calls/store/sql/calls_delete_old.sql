-- Deletes calls that are too old, the oldest first.
-- Arguments: $1 maximum age, ms; $2 maximum rows. Result: rows affected. Skips rows that another
--   transaction is deleting.
-- Cost: the index by time, from its old end.
DELETE FROM api_calls WHERE (source, log_offset) IN (
    SELECT c.source, c.log_offset FROM api_calls c WHERE c.at < now() - $1::bigint * interval '1 millisecond'
    ORDER BY c.at LIMIT $2 FOR UPDATE SKIP LOCKED)
