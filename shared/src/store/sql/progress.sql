-- Progress of order-create in a topic.
-- Arguments: $1 topic. Result: one row per partition, ascending.
SELECT p.partition, p.incarnation, p.next_offset, epoch_ms(p.appended_at) AS appended_ms
FROM progress p WHERE p.topic = $1 ORDER BY p.partition
