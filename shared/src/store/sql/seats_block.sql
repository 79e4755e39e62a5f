-- Blocks the seats of ranges of a program. Seats that are blocked already keep reason, name and time.
-- Arguments: $1 program; arrays with one entry per range: $2 first seat, $3 last seat; $4 reason, $5
-- who blocks them.
-- Result: rows affected: the seats that were not blocked. Idempotent.
-- Locks: the caller holds the program's row, so blocks of a program do not overlap in time.
INSERT INTO blocked_seats (program, seat, reason, blocked_by)
SELECT $1, seat, $4, $5
FROM UNNEST($2::int[], $3::int[]) AS w (first, last), generate_series(w.first, w.last) AS seat
ON CONFLICT DO NOTHING
