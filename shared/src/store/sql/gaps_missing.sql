-- The parts of open gaps that are not replayed. The partitions' progress must be locked.
-- Arguments: arrays with one entry per partition: $1 topic, $2 partition, $3 incarnation. Result:
-- one row per gap, ascending by offset.
SELECT g.topic, g.partition, g.replayed_until, g.until_offset
FROM progress_gaps g
JOIN UNNEST($1::text[], $2::int[], $3::int[]) AS w (topic, partition, incarnation)
  ON g.topic = w.topic AND g.partition = w.partition AND g.incarnation = w.incarnation
WHERE g.closed_at IS NULL ORDER BY g.from_offset
