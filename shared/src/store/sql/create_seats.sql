-- order-create, statement 3: assigns the seats to the orders that statement 2 inserted.
-- Arguments: arrays with one entry per seat: $1 program, $2 seat, $3 order number.
-- Result: rows affected; fewer than the seats given if other orders hold some.
-- Locks: ascending by (program, seat). Among orders of one batch the lowest number has the seat.
INSERT INTO order_seats (program, seat, order_number)
SELECT w.program, w.seat, w.order_number
FROM UNNEST($1::bigint[], $2::int[], $3::bigint[]) AS w (program, seat, order_number)
ORDER BY w.program, w.seat, w.order_number
ON CONFLICT DO NOTHING
