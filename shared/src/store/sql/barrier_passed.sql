-- The orders behind which order-create has passed a barrier that was requested after they were
-- accepted. One that has no row afterwards never gets one.
-- Arguments: $1 order numbers. Result: number and nonce, one row per order. Cost: one index look-up
-- per order.
SELECT w.order_number, w.nonce
FROM barrier_waits w JOIN barriers b ON b.topic = w.topic AND b.partition = w.partition
WHERE w.order_number = ANY ($1) AND b.passed >= w.request
