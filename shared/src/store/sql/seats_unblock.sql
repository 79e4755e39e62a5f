-- Unblocks the seats of ranges of a program.
-- Arguments: $1 program; arrays with one entry per range: $2 first seat, $3 last seat.
-- Result: rows affected: the seats that were blocked. Idempotent.
-- Locks: the caller holds the program's row.
DELETE FROM blocked_seats b
USING UNNEST($2::int[], $3::int[]) AS w (first, last)
WHERE b.program = $1 AND b.seat BETWEEN w.first AND w.last
