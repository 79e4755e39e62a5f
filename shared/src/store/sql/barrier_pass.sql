-- Marks barriers as passed: order-create has handled all that their partitions held when the
-- barriers were requested.
-- Arguments: arrays with one entry per barrier: $1 topic, $2 partition, $3 token. Result: rows
-- affected. A token that is not the latest of its partition passes nothing. Idempotent.
UPDATE barriers b
SET passed = b.covered, token = NULL, attempts = 0, send_after = now()
FROM UNNEST($1::text[], $2::int[], $3::bytea[]) AS w (topic, partition, token)
WHERE b.topic = w.topic AND b.partition = w.partition AND b.token = w.token
