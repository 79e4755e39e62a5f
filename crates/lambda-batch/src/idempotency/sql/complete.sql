-- Stores the result of a leased key.
-- Arguments: $1 key, $2 payload hash, $3 token, $4 result, $5 keep time in ms.
-- Result: rows affected: 1 if stored, 0 if another caller has leased or completed the key. A key
--   whose lease has ended and that no other caller has leased is completed as well: the operation
--   was run.
INSERT INTO idempotency_keys AS held (key, payload, token, result, expires_at)
VALUES ($1, $2, $3, $4, clock_timestamp() + $5::bigint * interval '1 ms')
ON CONFLICT (key) DO UPDATE
SET result = excluded.result, payload = excluded.payload, token = excluded.token,
    expires_at = clock_timestamp() + $5::bigint * interval '1 ms'
WHERE (held.token = excluded.token AND held.result IS NULL) OR held.expires_at <= clock_timestamp()
