-- What holds a key.
-- Arguments: $1 key.
-- Result: payload hash and result or null; no row if the key has expired.
SELECT payload, result FROM idempotency_keys WHERE key = $1 AND expires_at > clock_timestamp()
