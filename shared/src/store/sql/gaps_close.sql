-- Closes a gap on behalf of an operator, without a replay. Deletes nothing.
-- Arguments: $1 id, $2 who, $3 why. Result: rows affected: 0 if it is closed or unknown.
UPDATE progress_gaps SET closed_at = now(), closed_by = $2, closed_why = $3
WHERE id = $1 AND closed_at IS NULL
