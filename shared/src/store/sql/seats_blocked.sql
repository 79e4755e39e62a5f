-- The blocked seats of a program as ranges of one reason, name and time, one page.
-- Arguments: $1 program, $2 only ranges that begin above this seat (-1: all), $3 limit.
-- Result: `first`, `last`, `reason`, `blocked_by`, `blocked_at_ms`; ascending by `first`.
-- Cost: the program's blocked seats, by key.
SELECT min(s.seat) AS first, max(s.seat) AS last, s.reason, s.blocked_by,
       epoch_ms(s.blocked_at) AS blocked_at_ms
FROM (
    SELECT b.seat, b.reason, b.blocked_by, b.blocked_at,
           b.seat - row_number() OVER (
               PARTITION BY b.reason, b.blocked_by, b.blocked_at ORDER BY b.seat) AS run
    FROM blocked_seats b
    WHERE b.program = $1
) s
GROUP BY s.reason, s.blocked_by, s.blocked_at, s.run
HAVING min(s.seat) > $2
ORDER BY first
LIMIT $3
