-- Collect: rows for partitions that have none, so that there is something to lock.
-- Arguments: arrays with an entry a partition: $1 topic, $2 partition. Result: rows affected. Idempotent; waits for another batch that is
-- doing the same.
INSERT INTO api_progress (topic, partition)
SELECT w.topic, w.partition FROM UNNEST($1::text[], $2::int[]) AS w (topic, partition)
ORDER BY w.topic, w.partition
ON CONFLICT DO NOTHING
