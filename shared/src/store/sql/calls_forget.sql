-- Deletes the oldest records that have been kept long enough.
-- Arguments: $1 how long records are kept, ms; $2 most of them at once. Result: rows affected. Skips what another one is deleting.
-- Cost: the index by time, from its old end.
DELETE FROM api_calls WHERE (source, log_offset) IN (
    SELECT c.source, c.log_offset FROM api_calls c WHERE c.at < now() - $1::bigint * interval '1 millisecond'
    ORDER BY c.at LIMIT $2 FOR UPDATE SKIP LOCKED)
