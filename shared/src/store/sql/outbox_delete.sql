-- Deletes published changes.
-- Arguments: $1 older than so many ms, $2 limit. Result: rows affected. Cost: a scan of the table,
-- which holds one row per change of the last day.
DELETE FROM outbox WHERE (program, version) IN (
    SELECT program, version FROM outbox
    WHERE published AND created_at < now() - $1::bigint * interval '1 millisecond'
    LIMIT $2
)
