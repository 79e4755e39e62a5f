-- Collect, statement 6: stores the progress. The rows are locked since statement 1.
-- Arguments: arrays with an entry per partition: $1 topic, $2 partition, $3 incarnation, $4 source,
--   $5 next offset, $6 greatest log-append time ms or null. Result: rows affected.
UPDATE api_progress p
SET incarnation = w.incarnation, source = w.source, next_offset = w.next_offset, appended_at = at_ms(w.appended_ms)
FROM UNNEST($1::text[], $2::int[], $3::int[], $4::int[], $5::bigint[], $6::bigint[])
     AS w (topic, partition, incarnation, source, next_offset, appended_ms)
WHERE p.topic = w.topic AND p.partition = w.partition
