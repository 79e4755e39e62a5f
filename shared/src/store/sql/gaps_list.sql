-- Gaps, newest first.
-- Arguments: $1 true for open ones only, $2 only ids below this, $3 limit. Result: one row per gap.
SELECT g.id, g.topic, g.partition, g.incarnation, g.from_offset, g.until_offset,
       epoch_ms(g.found_at) AS found_ms, g.replayed_until, epoch_ms(g.closed_at) AS closed_ms,
       g.closed_by, g.closed_why
FROM progress_gaps g
WHERE (NOT $1 OR g.closed_at IS NULL) AND g.id < $2
ORDER BY g.id DESC LIMIT $3
