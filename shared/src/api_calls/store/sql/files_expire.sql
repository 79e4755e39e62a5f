-- Removes the files of the oldest hour from the manifest if it is too old.
-- Arguments: $1 maximum age of an hour's begin, ms. Result: begin of the hour, ms, a row per file.
--   Skips rows that another transaction has locked.
UPDATE api_files f SET removed_at = now()
WHERE f.path IN (
    SELECT o.path FROM api_files o
    WHERE o.removed_at IS NULL AND o.hour = (
        SELECT min(h.hour) FROM api_files h
        WHERE h.removed_at IS NULL AND h.hour < now() - $1::bigint * interval '1 millisecond')
    FOR UPDATE SKIP LOCKED)
RETURNING epoch_ms(f.hour) AS hour_ms
