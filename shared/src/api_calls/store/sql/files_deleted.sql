-- Deletes the rows of objects that are deleted.
-- Arguments: $1 paths, locked by this transaction. Result: rows affected.
DELETE FROM api_files WHERE path = ANY ($1::text[])
