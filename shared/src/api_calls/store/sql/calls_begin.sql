-- Collect: inserts rows for partitions that have none, so that they can be locked.
-- Arguments: arrays with an entry per partition: $1 topic, $2 partition. Result: rows affected.
--   Idempotent; waits for a concurrent batch that inserts the same rows.
INSERT INTO api_progress (topic, partition)
SELECT w.topic, w.partition FROM UNNEST($1::text[], $2::int[]) AS w (topic, partition)
ORDER BY w.topic, w.partition
ON CONFLICT DO NOTHING
