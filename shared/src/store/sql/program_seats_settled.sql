-- The gate has the seats of this version of a program.
-- Arguments: $1 id, $2 version. Result: rows affected: 0 if the program has changed since, or was
-- settled before. Idempotent.
UPDATE programs SET seats_dirty = false WHERE id = $1 AND version = $2 AND seats_dirty
