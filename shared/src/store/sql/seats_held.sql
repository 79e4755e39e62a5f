-- The orders that hold seats of a range.
-- Arguments: $1 program, $2 first seat, $3 last seat. Result: one row: the numbers. Cost: one range
-- of the primary key.
SELECT ARRAY(
    SELECT DISTINCT s.order_number FROM order_seats s
    WHERE s.program = $1 AND s.seat BETWEEN $2 AND $3)
