-- Every blocked seat. Result: program text, seat int8.
SELECT program::text, seat::int8 FROM blocked_seats ORDER BY blocked_seats.program, blocked_seats.seat
