-- Raises the version of a program whose seats are about to change, and locks its row.
-- Arguments: $1 id, $2 the version that it must have, or null for any. Result: the new version; no
-- row if there is no such program, or it has another version.
UPDATE programs SET version = version + 1, seats_dirty = true
WHERE id = $1 AND version = COALESCE($2, version)
RETURNING version
