-- Parks records as raw bytes, in the transaction that advances over them.
-- Arguments: arrays with one entry per record: $1 topic, $2 partition, $3 offset, $4 log-append
-- time ms or null, $5 hash of key and value, $6 key or null, $7 value or null, $8 reason.
-- Result: rows affected. The same record again changes nothing.
INSERT INTO parked (topic, partition, log_offset, appended_at, hash, key, value, reason)
SELECT w.topic, w.partition, w.log_offset, at_ms(w.appended_ms), w.hash, w.key, w.value, w.reason
FROM UNNEST($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[],
            $7::bytea[], $8::text[])
     AS w (topic, partition, log_offset, appended_ms, hash, key, value, reason)
ORDER BY w.topic, w.partition, w.log_offset, w.hash
ON CONFLICT DO NOTHING
