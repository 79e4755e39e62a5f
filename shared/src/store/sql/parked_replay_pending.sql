-- Whether a parked record may still be stored by a replay: its copy is not read yet, or an attempt
-- is running or ended without an answer recently. Copies that were parked again are followed.
-- Arguments: $1 topic, $2 partition, $3 offset of the record as it was parked first. Result: one
-- row, a boolean.
-- Cost: a few index look-ups per copy. Progress moves in the transaction that stores, so look for
-- the row afterwards.
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
    -- A copy on a topic that was created again is never read. It is waited for as long as a topic
    -- usually retains it.
    WHERE (r.outcome = 'published' AND r.ended_at > now() - interval '7 days'
        AND COALESCE(g.next_offset <= r.log_offset, true))
       OR (r.outcome IN ('begun', 'unknown') AND r.began_at > now() - interval '10 minutes'))
