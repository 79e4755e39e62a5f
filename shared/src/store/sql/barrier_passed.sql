-- Which orders have a barrier behind them that was requested when they were accepted already, and that create has passed. One that has
-- no row afterwards never gets one.
-- Arguments: $1 order numbers. Result: number and nonce, a row an order. Cost: one index look-up an order; the table is nearly empty.
SELECT w.order_number, w.nonce
FROM barrier_waits w JOIN barriers b ON b.topic = w.topic AND b.partition = w.partition
WHERE w.order_number = ANY ($1) AND b.passed >= w.request
