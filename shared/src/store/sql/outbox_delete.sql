-- Forgets published changes that nobody will ask about any more.
-- Arguments: $1 older than so many ms, $2 limit. Result: rows affected. Cost: a look at every row, of which a day leaves one a change.
DELETE FROM outbox WHERE (program, version) IN (
    SELECT program, version FROM outbox
    WHERE published AND created_at < now() - $1::bigint * interval '1 millisecond'
    LIMIT $2
)
