-- The right to put a parked record back, for one caller at a time: given to who knows how often it has been put back already.
-- Arguments: $1 identity, $2 how often it was replayed as the caller knows, $3 who asks, $4 for how many ms the right is theirs.
-- Result: the record's bytes and the number of this attempt; no row if the record is busy, discarded, or was replayed since.
WITH mine AS (
    UPDATE parked SET attempts = attempts + 1, busy_until = now() + $4 * interval '1 millisecond'
    WHERE id = $1 AND replays = $2 AND state <> 'discarded' AND (busy_until IS NULL OR busy_until <= now())
    RETURNING id, attempts, topic, key, value
), noted AS (
    INSERT INTO parked_replays (parked, attempt, asked_by) SELECT id, attempts, $3 FROM mine
)
SELECT attempts, topic, key, value FROM mine
