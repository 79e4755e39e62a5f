-- Which orders are not settled: dirty, or listed by an unsettled batch.
-- Arguments: $1 numbers. Result: number, ascending. Cost: O(numbers), and the open batches.
SELECT o.number FROM orders o
WHERE o.number = ANY ($1::bigint[])
  AND (o.dirty OR EXISTS (SELECT FROM unsettled u WHERE o.number = ANY (u.numbers)))
ORDER BY o.number
