-- Objects to delete: no manifest has listed them for the grace period. The rows are locked until
-- the commit, so that no transaction writes the objects meanwhile.
-- Arguments: $1 grace period, ms, $2 maximum rows. Result: paths, those of the longest removed
--   first. Skips rows that another transaction has locked.
SELECT f.path FROM api_files f WHERE f.removed_at < now() - $1::bigint * interval '1 millisecond'
ORDER BY f.removed_at LIMIT $2 FOR UPDATE SKIP LOCKED
