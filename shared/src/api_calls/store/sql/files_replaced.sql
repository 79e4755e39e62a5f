-- Removes files from the manifest, since a merged one replaces them.
-- Arguments: $1 paths. Result: rows affected; fewer than paths if another transaction has removed
--   one, and then the caller rolls back.
UPDATE api_files SET removed_at = now() WHERE path = ANY ($1::text[]) AND removed_at IS NULL
