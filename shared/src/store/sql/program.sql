-- A program with its categories.
-- Arguments: $1 id. Result: one row per category, ascending by number; none if there is no such
-- program.
SELECT p.shard, p.title, p.version, p.status, p.pay_window_ms, p.user_limit,
       p.admissions_per_second, c.no, c.name, c.first_seat, c.rows, c.row_len, c.price_cents
FROM programs p JOIN categories c ON c.program = p.id
WHERE p.id = $1
ORDER BY c.no
