-- Every seat row. Result: program text, seat int8, order_number text.
SELECT program::text, seat::int8, order_number::text
FROM order_seats ORDER BY order_seats.program, order_seats.seat
