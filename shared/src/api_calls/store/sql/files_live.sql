-- The files with calls, as of this statement: of each partition a prefix of what was committed.
-- Arguments: none. Result: a row per file, ascending by path.
SELECT f.path, epoch_ms(f.hour) AS hour_ms, f.source, s.topic, s.partition, s.incarnation, f.first_offset, f.last_offset, f.calls,
       f.bytes, epoch_ms(f.min_at) AS min_at_ms, epoch_ms(f.max_at) AS max_at_ms, f.sha256, f.schema_version, f.level
FROM api_files f JOIN api_sources s ON s.id = f.source
WHERE f.removed_at IS NULL
ORDER BY f.path
