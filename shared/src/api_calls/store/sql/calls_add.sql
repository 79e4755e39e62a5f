-- Collect, statement 3: adds a batch's sums to those of its minutes.
-- Arguments: arrays with an entry per cell, no cell twice: $1 source, $2 begin of the minute, ms,
--   $3 route, $4 status, $5 client, $6 calls, $7 their time, us, $8 the longest, us; $9 the 14
--   buckets of all cells, one cell after the other.
-- Result: rows affected. NOT idempotent by itself: the same transaction advances the progress of
--   the records.
-- Locks: rows of sources whose progress this transaction holds.
INSERT INTO api_minutes AS m (source, minute, route, status, client, calls, duration_us, max_us, buckets)
SELECT w.source, at_ms(w.minute_ms), w.route, w.status, w.client, w.calls, w.duration_us, w.max_us,
       ($9::bigint[])[14 * w.n - 13 : 14 * w.n]
FROM UNNEST($1::int[], $2::bigint[], $3::text[], $4::smallint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[])
     WITH ORDINALITY AS w (source, minute_ms, route, status, client, calls, duration_us, max_us, n)
ON CONFLICT (source, minute, route, status, client) DO UPDATE
SET calls = m.calls + excluded.calls,
    duration_us = m.duration_us + excluded.duration_us,
    max_us = greatest(m.max_us, excluded.max_us),
    buckets = ARRAY(
        SELECT b.old + b.new FROM UNNEST(m.buckets, excluded.buckets) WITH ORDINALITY AS b (old, new, n) ORDER BY b.n)
