-- Deletes parked records that were replayed or discarded, with their replays. Those that wait for an
-- operator stay, whatever their age; so does a record whose copy may still wait in its topic.
-- Arguments: $1 parked, replayed and discarded before, ms since 1970; $2 limit. Result: how many records. Skips locked rows.
-- Cost: the index of ids from the lowest; records that wait are read and kept.
-- Idempotent.
WITH old AS (
    SELECT p.id FROM parked p
    WHERE p.state <> 'parked' AND GREATEST(p.parked_at, p.discarded_at) < at_ms($1)
        AND (p.busy_until IS NULL OR p.busy_until <= now())
        AND NOT EXISTS (SELECT FROM parked_replays r WHERE r.parked = p.id AND r.began_at >= at_ms($1))
    ORDER BY p.id
    LIMIT $2
    FOR UPDATE OF p SKIP LOCKED
),
replays AS (DELETE FROM parked_replays WHERE parked IN (SELECT id FROM old)),
deleted AS (DELETE FROM parked WHERE id IN (SELECT id FROM old) RETURNING 1)
SELECT count(*) FROM deleted
