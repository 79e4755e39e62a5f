-- Claims the replay of a parked record for one caller, which must name the current number of
-- replays.
-- Arguments: $1 id, $2 expected number of replays, $3 operator, $4 duration of the claim, ms.
-- Result: the record's bytes and the number of this attempt; no row if the record is busy,
-- discarded, or was replayed since.
WITH mine AS (
    UPDATE parked SET attempts = attempts + 1, busy_until = now() + $4 * interval '1 millisecond'
    WHERE id = $1 AND replays = $2 AND state <> 'discarded'
        AND (busy_until IS NULL OR busy_until <= now())
    RETURNING id, attempts, topic, key, value
), noted AS (
    INSERT INTO parked_replays (parked, attempt, asked_by) SELECT id, attempts, $3 FROM mine
)
SELECT attempts, topic, key, value FROM mine
