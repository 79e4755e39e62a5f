-- Collect, statement 1: how far the collector has come in each partition, locked until the commit.
-- Arguments: arrays with an entry a partition: $1 topic, $2 partition. Result: a row a known partition. Locks ascending.
SELECT p.topic, p.partition, p.incarnation, p.source, p.next_offset, epoch_ms(p.appended_at) AS appended_ms
FROM api_progress p
WHERE (p.topic, p.partition) IN (SELECT * FROM UNNEST($1::text[], $2::int[]))
ORDER BY p.topic, p.partition
FOR UPDATE
