-- Marks changes as published.
-- Arguments: arrays with one entry per change: $1 program, $2 version. Result: rows affected.
-- Idempotent.
UPDATE outbox o SET published = true
FROM UNNEST($1::bigint[], $2::bigint[]) AS w (program, version)
WHERE o.program = w.program AND o.version = w.version AND NOT o.published
