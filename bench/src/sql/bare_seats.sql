-- The seats of a batch. Arguments: $1 programs, $2 seats, $3 order numbers. Idempotent.
INSERT INTO bare_order_seats (program, seat, order_number)
SELECT * FROM unnest($1::bigint[], $2::int[], $3::bigint[])
ON CONFLICT DO NOTHING
