-- Leases a key that has no row or an expired one.
-- Arguments: $1 key, $2 payload hash, $3 token, $4 lease time in ms.
-- Result: rows affected: 1 if leased, 0 if another row holds the key.
INSERT INTO idempotency_keys AS held (key, payload, token, expires_at)
VALUES ($1, $2, $3, clock_timestamp() + $4::bigint * interval '1 ms')
ON CONFLICT (key) DO UPDATE
SET payload = excluded.payload, token = excluded.token, result = NULL,
    expires_at = clock_timestamp() + $4::bigint * interval '1 ms'
WHERE held.expires_at <= clock_timestamp()
