-- Claims the partitions in which a barrier is requested, for one process at a time. A barrier that
-- is not passed is replaced after 5 s, then after twice as long each time, up to an hour, because
-- it may have been deleted before it was read.
-- Arguments: $1 topic, $2 token of the barriers. Result: one row per partition. The barriers must
-- be appended after the commit.
UPDATE barriers
SET covered = requested, token = $2, attempts = attempts + 1,
    send_after = now() + LEAST(5 * 2 ^ LEAST(attempts, 10), 3600) * interval '1 second'
WHERE topic = $1 AND passed < requested AND send_after <= now()
RETURNING partition
