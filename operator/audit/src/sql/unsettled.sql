-- Committed orders by which the gate is not settled. Result: number text.
SELECT unnest(numbers)::text AS number FROM unsettled
