-- Records below the mark of their partition were handled: the gaps that they overlap are replayed
-- up to there. A gap is closed once the replay is past its end, even if its last offsets have no
-- record.
-- Arguments: arrays with one entry per partition: $1 topic, $2 partition, $3 incarnation, $4 first
-- offset, $5 offset behind the last.
-- Result: rows affected. Idempotent.
UPDATE progress_gaps g
SET replayed_until = GREATEST(g.replayed_until, LEAST(w.next_offset, g.until_offset)),
    closed_at = CASE WHEN w.next_offset >= g.until_offset THEN now() END,
    closed_why = CASE WHEN w.next_offset >= g.until_offset THEN 'replayed' END
FROM UNNEST($1::text[], $2::int[], $3::int[], $4::bigint[], $5::bigint[])
     AS w (topic, partition, incarnation, first_offset, next_offset)
WHERE g.topic = w.topic AND g.partition = w.partition AND g.incarnation = w.incarnation
  AND g.closed_at IS NULL AND w.next_offset > g.from_offset
  AND (w.first_offset < g.until_offset OR g.replayed_until > g.from_offset)
