-- Stops or resumes the sale of a program.
-- Arguments: $1 id, $2 the new status. Result: the new version, only if this statement changed it.
-- Idempotent.
UPDATE programs SET status = $2, version = version + 1
WHERE id = $1 AND status <> $2 RETURNING version
