-- Records objects that were found in the folder of an hour and that no row names: what a crash left
-- between object and commit. They are deleted after the grace period, unless a transaction commits
-- them first.
-- Arguments: $1 begin of the hour, ms, $2 paths. Result: rows affected. Idempotent.
-- Locks: waits for a transaction that inserts one of the paths.
INSERT INTO api_files (path, hour, removed_at)
SELECT w.path, at_ms($1), now() FROM UNNEST($2::text[]) AS w (path) ORDER BY w.path
ON CONFLICT DO NOTHING
