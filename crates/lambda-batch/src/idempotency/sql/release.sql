-- Frees a key whose operation failed.
-- Arguments: $1 key, $2 token.
-- Result: rows affected. None if the caller no longer has the lease.
DELETE FROM idempotency_keys WHERE key = $1 AND token = $2 AND result IS NULL
