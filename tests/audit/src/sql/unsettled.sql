-- Orders that were committed and of which the gate has not been told. Result: number text.
SELECT unnest(numbers)::text AS number FROM unsettled
