-- Collect, statement 1: the progress in each partition, locked until the commit.
-- Arguments: arrays with an entry per partition: $1 topic, $2 partition. Result: a row per known
--   partition. Locks ascending.
SELECT p.topic, p.partition, p.incarnation, p.source, p.next_offset, epoch_ms(p.appended_at) AS appended_ms
FROM api_progress p
WHERE (p.topic, p.partition) IN (SELECT * FROM UNNEST($1::text[], $2::int[]))
ORDER BY p.topic, p.partition
FOR UPDATE
