-- Records how a replay attempt ended, once.
-- Arguments: $1 id, $2 attempt, $3 outcome ('published', 'refused', 'unknown'), $4 partition or
-- null, $5 offset or null, $6 note or null.
-- Result: rows affected, 0 if it was recorded before. An attempt that exceeded its claim still
-- counts; it does not end another attempt.
WITH ended AS (
    UPDATE parked_replays SET outcome = $3, ended_at = now(), partition = $4, log_offset = $5,
        note = $6
    WHERE parked = $1 AND attempt = $2 AND outcome = 'begun'
    RETURNING parked
)
UPDATE parked p
SET replays = p.replays + CASE WHEN $3 = 'published' THEN 1 ELSE 0 END,
    state = CASE WHEN $3 = 'published' AND p.state = 'parked' THEN 'replayed' ELSE p.state END,
    busy_until = CASE WHEN p.attempts = $2 THEN NULL ELSE p.busy_until END
FROM ended WHERE p.id = ended.parked
