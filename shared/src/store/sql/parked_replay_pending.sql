-- Whether a parked record may still be stored because it was put back on its topic: a copy of it waits to be read, or an attempt at
-- putting it back is under way or ended without an answer a short while ago. Copies that were parked in turn are followed.
-- Arguments: $1 topic, $2 partition, $3 offset of the record as it was parked first. Result: one row, a boolean.
-- Cost: a few index look-ups per copy. Progress moves in the transaction that stores, so ask afterwards whether there is a row.
WITH RECURSIVE copy (partition, log_offset) AS (
    SELECT $2::int, $3::bigint
    UNION
    SELECT r.partition, r.log_offset
    FROM copy c
    JOIN parked p ON p.topic = $1 AND p.partition = c.partition AND p.log_offset = c.log_offset
    JOIN parked_replays r ON r.parked = p.id AND r.outcome = 'published'
)
SELECT EXISTS (
    SELECT FROM copy c
    JOIN parked p ON p.topic = $1 AND p.partition = c.partition AND p.log_offset = c.log_offset
    JOIN parked_replays r ON r.parked = p.id
    LEFT JOIN progress g ON g.topic = $1 AND g.partition = r.partition
    -- A copy on a topic that was created anew is never read: it is waited for no longer than a topic usually keeps it.
    WHERE (r.outcome = 'published' AND r.ended_at > now() - interval '7 days' AND COALESCE(g.next_offset <= r.log_offset, true))
       OR (r.outcome IN ('begun', 'unknown') AND r.began_at > now() - interval '10 minutes'))
