-- The latest replay attempts of a parked record.
-- Arguments: $1 id, $2 limit. Result: one row per attempt, the latest first.
SELECT r.attempt, r.asked_by, epoch_ms(r.began_at) AS began_ms, epoch_ms(r.ended_at) AS ended_ms,
       r.outcome, r.partition, r.log_offset, r.note
FROM parked_replays r WHERE r.parked = $1 ORDER BY r.attempt DESC LIMIT $2
