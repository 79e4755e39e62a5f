-- A page of the seat rows.
-- Arguments: $1 program and $2 seat after which the page begins, $3 maximum rows.
-- Result: program text, seat int8, order_number text. Cost: O(rows), by the primary key.
SELECT program::text, seat::int8, order_number::text
FROM order_seats
WHERE (order_seats.program, order_seats.seat) > ($1, $2)
ORDER BY order_seats.program, order_seats.seat
LIMIT $3
