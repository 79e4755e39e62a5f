-- order-create, statement 6: advances the partitions, never backwards.
-- Arguments: arrays with one entry per partition: $1 topic, $2 partition, $3 incarnation, $4 next
-- offset, $5 greatest log-append time ms or null.
-- Result: rows affected. Idempotent.
INSERT INTO progress AS p (topic, partition, incarnation, next_offset, appended_at)
SELECT w.topic, w.partition, w.incarnation, w.next_offset, at_ms(w.appended_ms)
FROM UNNEST($1::text[], $2::int[], $3::int[], $4::bigint[], $5::bigint[])
     AS w (topic, partition, incarnation, next_offset, appended_ms)
ORDER BY w.topic, w.partition
ON CONFLICT (topic, partition) DO UPDATE
SET incarnation = excluded.incarnation, next_offset = excluded.next_offset,
    appended_at = excluded.appended_at
WHERE (excluded.incarnation, excluded.next_offset) >= (p.incarnation, p.next_offset)
