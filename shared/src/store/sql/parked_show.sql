-- One parked record with the first bytes of key and value.
-- Arguments: $1 id, $2 maximum bytes of key, and of value. Result: a row, or none.
SELECT p.id, p.topic, p.partition, p.log_offset, epoch_ms(p.appended_at) AS appended_ms,
       octet_length(p.key) AS key_bytes, octet_length(p.value) AS value_bytes, p.reason,
       epoch_ms(p.parked_at) AS parked_ms, p.state, p.replays,
       COALESCE(p.busy_until > now(), false) AS busy, epoch_ms(p.discarded_at) AS discarded_ms,
       p.discarded_by, p.discarded_why, substring(p.key FROM 1 FOR $2) AS key,
       substring(p.value FROM 1 FOR $2) AS value
FROM parked p WHERE p.id = $1
