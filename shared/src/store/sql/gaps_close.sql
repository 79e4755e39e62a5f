-- An operator closes a gap that is not to be replayed. Nothing is deleted.
-- Arguments: $1 identity, $2 who, $3 why. Result: rows affected: none if it is closed already, or unknown.
UPDATE progress_gaps SET closed_at = now(), closed_by = $2, closed_why = $3 WHERE id = $1 AND closed_at IS NULL
