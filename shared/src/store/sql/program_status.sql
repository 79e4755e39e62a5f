-- Stops or resumes the sale of a program.
-- Arguments: $1 identity, $2 the new status. Result: the new version, only if this statement changed it. Repeating it changes nothing.
UPDATE programs SET status = $2, version = version + 1 WHERE id = $1 AND status <> $2 RETURNING version
