-- Committed changes that may not be published: their storefront ended, or the stream was away.
-- Arguments: $1 only those older than so many ms, $2 limit. Result: oldest first. Cost: the partial
-- index of unpublished rows.
SELECT program, version FROM outbox
WHERE NOT published AND created_at <= now() - $1::bigint * interval '1 millisecond'
ORDER BY created_at, program, version LIMIT $2
