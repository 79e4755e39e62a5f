-- order-create, statement 1: reads the progress of each partition and locks it until
-- the commit.
-- Arguments: arrays with one entry per partition: $1 topic, $2 partition. Result: one row per
-- recorded partition. Locks ascending.
SELECT p.topic, p.partition, p.incarnation, p.next_offset, epoch_ms(p.appended_at) AS appended_ms
FROM progress p
WHERE (p.topic, p.partition) IN (SELECT * FROM UNNEST($1::text[], $2::int[]))
ORDER BY p.topic, p.partition
FOR UPDATE
