-- Deletes expired keys, the oldest first.
-- Arguments: $1 rows at most.
-- Result: rows affected. Rows that another transaction has locked are skipped.
DELETE FROM idempotency_keys WHERE key IN (
  SELECT key FROM idempotency_keys WHERE expires_at <= clock_timestamp()
  ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
