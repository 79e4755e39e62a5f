-- Deletes the oldest sums that have been kept long enough.
-- Arguments: $1 how long sums are kept, ms; $2 most rows at once. Result: rows affected. Skips what another one is busy with.
-- Cost: the index by minute, from its old end.
DELETE FROM api_minutes WHERE (source, minute, route, status, client) IN (
    SELECT m.source, m.minute, m.route, m.status, m.client FROM api_minutes m
    WHERE m.minute < now() - $1::bigint * interval '1 millisecond'
    ORDER BY m.minute LIMIT $2 FOR UPDATE SKIP LOCKED)
