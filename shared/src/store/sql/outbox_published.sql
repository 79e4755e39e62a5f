-- These changes stand in the stream.
-- Arguments: arrays with an entry a change: $1 program, $2 version. Result: rows affected. Repeating it changes nothing.
UPDATE outbox o SET published = true
FROM UNNEST($1::bigint[], $2::bigint[]) AS w (program, version)
WHERE o.program = w.program AND o.version = w.version AND NOT o.published
