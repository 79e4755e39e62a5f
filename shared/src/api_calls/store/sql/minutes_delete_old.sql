-- Deletes sums that are too old, the oldest first.
-- Arguments: $1 maximum age, ms; $2 maximum rows. Result: rows affected. Skips rows that another
--   transaction has locked.
-- Cost: the index by minute, from its old end.
DELETE FROM api_minutes WHERE (source, minute, route, status, client) IN (
    SELECT m.source, m.minute, m.route, m.status, m.client FROM api_minutes m
    WHERE m.minute < now() - $1::bigint * interval '1 millisecond'
    ORDER BY m.minute LIMIT $2 FOR UPDATE SKIP LOCKED)
