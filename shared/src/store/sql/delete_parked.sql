-- Deletes parked records that were replayed or discarded, with their replays. Those that wait for an
-- operator stay, whatever their age.
-- Arguments: $1 parked before, ms since 1970; $2 limit. Result: how many records. Skips locked rows.
-- Cost: the index of ids from the lowest; records that wait are read and kept.
-- Idempotent.
WITH old AS (
    SELECT id FROM parked
    WHERE state <> 'parked' AND parked_at < at_ms($1) AND (busy_until IS NULL OR busy_until <= now())
    ORDER BY id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
),
replays AS (DELETE FROM parked_replays WHERE parked IN (SELECT id FROM old)),
deleted AS (DELETE FROM parked WHERE id IN (SELECT id FROM old) RETURNING 1)
SELECT count(*) FROM deleted
