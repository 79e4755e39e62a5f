-- Sums of calls in groups.
-- Arguments: $1 first minute (inclusive) and $2 last (exclusive), ms; each or null: $3 method and
--   route, $4 lowest and $5 highest status, $6 client; whether to group by $7 minute, $8 route, $9
--   status, $10 client; $11 maximum groups.
-- Result: a row per group, ascending; a column that is not grouped by is null. Reads committed rows
--   as of this statement.
-- Cost: all rows of the minutes.
SELECT epoch_ms(g.minute) AS minute_ms, g.route, g.status, g.client, sum(g.calls)::bigint AS calls,
       sum(g.duration_us)::bigint AS duration_us, max(g.max_us) AS max_us,
       ARRAY[sum(g.buckets[1]), sum(g.buckets[2]), sum(g.buckets[3]), sum(g.buckets[4]), sum(g.buckets[5]), sum(g.buckets[6]),
             sum(g.buckets[7]), sum(g.buckets[8]), sum(g.buckets[9]), sum(g.buckets[10]), sum(g.buckets[11]), sum(g.buckets[12]),
             sum(g.buckets[13]), sum(g.buckets[14])]::bigint[] AS buckets
FROM (
    SELECT CASE WHEN $7::boolean THEN m.minute END AS minute, CASE WHEN $8::boolean THEN m.route END AS route,
           CASE WHEN $9::boolean THEN m.status END AS status, CASE WHEN $10::boolean THEN m.client END AS client,
           m.calls, m.duration_us, m.max_us, m.buckets
    FROM api_minutes m
    WHERE m.minute >= at_ms($1) AND m.minute < at_ms($2)
      AND ($3::text IS NULL OR m.route = $3)
      AND ($4::smallint IS NULL OR m.status >= $4)
      AND ($5::smallint IS NULL OR m.status <= $5)
      AND ($6::text IS NULL OR m.client = $6)
) g
GROUP BY g.minute, g.route, g.status, g.client
ORDER BY g.minute, g.route, g.status, g.client
LIMIT $11
