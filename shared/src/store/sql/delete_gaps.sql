-- Deletes closed gaps.
-- Arguments: $1 closed before, ms since 1970; $2 limit. Result: rows affected. Cost: a scan of the
-- table, which has a row for each loss of records. Idempotent.
DELETE FROM progress_gaps WHERE id IN (
    SELECT id FROM progress_gaps WHERE closed_at < at_ms($1) LIMIT $2 FOR UPDATE SKIP LOCKED
)
