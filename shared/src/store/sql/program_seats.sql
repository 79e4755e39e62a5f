-- A program with its categories and blocked seats, in one snapshot.
-- Arguments: $1 id. Result: one row per category, as program.sql, and `seats_dirty` of the program;
-- `blocked_first`, `blocked_last`: ranges of the category's blocked seats, ascending, null for none.
-- Cost: the program's blocked seats, by key.
SELECT p.shard, p.title, p.version, p.status, p.pay_window_ms, p.user_limit,
       p.admissions_per_second, p.seats_dirty, c.no,
       c.name, c.first_seat, c.rows, c.row_len, c.price_cents, b.blocked_first, b.blocked_last
FROM programs p
JOIN categories c ON c.program = p.id
LEFT JOIN LATERAL (
    SELECT array_agg(r.first ORDER BY r.first) AS blocked_first,
           array_agg(r.last ORDER BY r.first) AS blocked_last
    FROM (
        SELECT min(s.seat) AS first, max(s.seat) AS last
        FROM (
            SELECT b.seat, b.seat - row_number() OVER (ORDER BY b.seat) AS run
            FROM blocked_seats b
            WHERE b.program = p.id
                AND b.seat BETWEEN c.first_seat AND c.first_seat + c.rows * c.row_len - 1
        ) s
        GROUP BY s.run
    ) r
) b ON true
WHERE p.id = $1
ORDER BY c.no
