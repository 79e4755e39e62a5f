-- Parked records, newest first, without their bytes.
-- Arguments: $1 topic or null, $2 state or null, $3 only ids below this, $4 limit.
-- Result: one row per record. Cost: one index range, longer for a rare state among many records.
SELECT p.id, p.topic, p.partition, p.log_offset, epoch_ms(p.appended_at) AS appended_ms,
       octet_length(p.key) AS key_bytes, octet_length(p.value) AS value_bytes, p.reason,
       epoch_ms(p.parked_at) AS parked_ms, p.state, p.replays,
       COALESCE(p.busy_until > now(), false) AS busy, epoch_ms(p.discarded_at) AS discarded_ms,
       p.discarded_by, p.discarded_why
FROM parked p
WHERE ($1::text IS NULL OR p.topic = $1) AND ($2::text IS NULL OR p.state = $2) AND p.id < $3
ORDER BY p.id DESC LIMIT $4
