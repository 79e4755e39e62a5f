-- Calls behind a position, newest first.
-- Arguments: $1 from (inclusive) and $2 until (exclusive), ms; each or null: $3 address, $4 method
--   and route, $5 first and $6 last url of a range of bytes, $7 lowest and $8 highest status, $9
--   user; the position, or all null: $10 time ms, $11 source, $12 offset; $13 limit.
-- Result: the rows there are. Reads committed rows as of this statement.
-- Cost: one index by the condition and time; without a condition, or with several, rows are
--   filtered one by one.
SELECT c.source, c.log_offset, epoch_ms(c.at) AS at_ms, c.id, c.route, c.url, c.status, c.duration_us, c.client, c.user_id, c.ip, c.trace,
       c.instance
FROM api_calls c
WHERE c.at >= at_ms($1) AND c.at < at_ms($2)
  AND ($3::text IS NULL OR c.ip = $3)
  AND ($4::text IS NULL OR c.route = $4)
  AND ($5::text IS NULL OR c.url >= $5)
  AND ($6::text IS NULL OR c.url <= $6)
  AND ($7::smallint IS NULL OR c.status >= $7)
  AND ($8::smallint IS NULL OR c.status <= $8)
  AND ($9::text IS NULL OR c.user_id = $9)
  AND ($10::bigint IS NULL OR (c.at, c.source, c.log_offset) < (at_ms($10), $11::int, $12::bigint))
ORDER BY c.at DESC, c.source DESC, c.log_offset DESC
LIMIT $13
