-- Inserts files into the manifest. The rows are locked until the commit: only then, and before it,
-- their objects are written. An object that is to be deleted is kept instead.
-- Arguments: arrays with an entry per file: $1 path, $2 begin of the hour, ms, $3 source, $4 first
--   and $5 last offset, $6 calls, $7 bytes, $8 earliest and $9 latest call, ms, $10 SHA-256, $11
--   version of the schema, $12 level; $13 when the newest call was stored, ms, or null for now.
-- Result: rows affected; fewer than files if one of them is listed already. NOT idempotent by
--   itself: the same transaction advances the progress, or removes the files that these replace.
-- Locks: waits for a transaction that deletes one of the objects.
INSERT INTO api_files AS f (path, hour, source, first_offset, last_offset, calls, bytes, min_at, max_at, sha256, schema_version,
                            level, stored_at)
SELECT w.path, at_ms(w.hour_ms), w.source, w.first_offset, w.last_offset, w.calls, w.bytes, at_ms(w.min_ms), at_ms(w.max_ms),
       w.sha256, w.schema_version, w.level, coalesce(at_ms($13::bigint), now())
FROM UNNEST($1::text[], $2::bigint[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::bytea[], $11::int[], $12::int[])
     AS w (path, hour_ms, source, first_offset, last_offset, calls, bytes, min_ms, max_ms, sha256, schema_version, level)
ORDER BY w.path
ON CONFLICT (path) DO UPDATE
SET hour = excluded.hour, source = excluded.source, first_offset = excluded.first_offset, last_offset = excluded.last_offset,
    calls = excluded.calls, bytes = excluded.bytes, min_at = excluded.min_at, max_at = excluded.max_at,
    sha256 = excluded.sha256, schema_version = excluded.schema_version, level = excluded.level,
    stored_at = excluded.stored_at, removed_at = NULL
WHERE f.removed_at IS NOT NULL
