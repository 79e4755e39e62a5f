-- Collect, statement 4: inserts the calls.
-- Arguments: arrays with an entry per call: $1 source, $2 offset, $3 when it counts as made, ms, $4
--   id, $5 method and route, $6 url, $7 status, $8 duration, us, $9 client, $10 user or null, $11
--   address or null, $12 trace or null, $13 instance.
-- Result: rows affected. A row that exists already is an error: progress has been lost.
-- Cost: one heap row and four to six index entries per call.
INSERT INTO api_calls (source, log_offset, at, id, route, url, status, duration_us, client, user_id, ip, trace, instance)
SELECT w.source, w.log_offset, at_ms(w.at_ms), w.id, w.route, w.url, w.status, w.duration_us, w.client, w.user_id, w.ip, w.trace, w.instance
FROM UNNEST($1::int[], $2::bigint[], $3::bigint[], $4::bytea[], $5::text[], $6::text[], $7::smallint[], $8::bigint[], $9::text[],
            $10::text[], $11::text[], $12::bytea[], $13::text[])
     AS w (source, log_offset, at_ms, id, route, url, status, duration_us, client, user_id, ip, trace, instance)
