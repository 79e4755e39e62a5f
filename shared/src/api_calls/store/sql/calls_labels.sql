-- Collect, statement 2: the stored routes and clients of minutes, for the caps.
-- Arguments: arrays with an entry per minute: $1 source, $2 begin of the minute, ms. Result: a row
--   per minute that has any.
-- Cost: the minutes' rows by primary key.
SELECT m.source, epoch_ms(m.minute) AS minute_ms, array_agg(DISTINCT m.route) AS routes, array_agg(DISTINCT m.client) AS clients
FROM api_minutes m
WHERE (m.source, m.minute) IN (SELECT w.source, at_ms(w.minute_ms) FROM UNNEST($1::int[], $2::bigint[]) AS w (source, minute_ms))
GROUP BY m.source, m.minute
