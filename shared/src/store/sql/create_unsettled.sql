-- order-create: lists the orders of this transaction for the sweep until the gate is settled by
-- them.
-- Arguments: $1 numbers. Result: the batch's id.
INSERT INTO unsettled (numbers) VALUES ($1::bigint[]) RETURNING id
