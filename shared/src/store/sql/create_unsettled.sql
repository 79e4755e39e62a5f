-- Create: names the orders of this transaction to the sweep, until the gate knows them.
-- Arguments: $1 numbers. Result: the batch's id.
INSERT INTO unsettled (numbers) VALUES ($1::bigint[]) RETURNING id
