-- Requests a barrier in the partition of each order that has no request yet: one request per
-- partition.
-- Arguments: $1 topic, then arrays with one entry per order: $2 number, $3 nonce, $4 partition.
-- Result: rows affected. Idempotent. Locks partitions ascending.
WITH new AS (
    SELECT w.order_number, w.nonce, w.partition
    FROM UNNEST($2::bigint[], $3::bytea[], $4::int[]) AS w (order_number, nonce, partition)
    WHERE NOT EXISTS (
        SELECT FROM barrier_waits b WHERE b.order_number = w.order_number AND b.nonce = w.nonce)
), requests AS (
    INSERT INTO barriers AS b (topic, partition, requested)
    SELECT $1, p.partition, 1 FROM (SELECT DISTINCT new.partition FROM new) p ORDER BY p.partition
    ON CONFLICT (topic, partition) DO UPDATE SET requested = b.requested + 1
    RETURNING b.partition, b.requested
)
INSERT INTO barrier_waits (order_number, nonce, topic, partition, request)
SELECT new.order_number, new.nonce, $1, new.partition, requests.requested
FROM new JOIN requests ON requests.partition = new.partition
ON CONFLICT DO NOTHING
