-- The small files of one hour and source that are merged next: those of one level, if there are
-- many, else all of an hour in which no call was stored lately. Low levels and early hours first.
-- Arguments: $1 a file of fewer bytes is small, $2 newest schema that this program reads, $3 how
--   many files of a level are merged, $4 since when an hour is quiet, ms, $5 maximum files.
-- Result: a row per file, ascending by level and offset, at least two, or none. Whether the hour is
--   quiet, and when the newest call of the group was stored.
-- Cost: all small files.
WITH small AS (
    SELECT f.source, f.hour, f.level, f.stored_at FROM api_files f
    WHERE f.removed_at IS NULL AND f.bytes < $1 AND f.schema_version <= $2
), chosen AS (
    SELECT g.source, g.hour, g.level, g.quiet FROM (
        SELECT s.source, s.hour, s.level, false AS quiet FROM small s
        GROUP BY s.source, s.hour, s.level HAVING count(*) >= $3
        UNION ALL
        SELECT s.source, s.hour, NULL, true FROM small s
        GROUP BY s.source, s.hour
        HAVING count(*) >= 2 AND max(s.stored_at) < now() - $4::bigint * interval '1 millisecond'
    ) g
    ORDER BY g.level NULLS LAST, g.hour, g.source LIMIT 1
)
SELECT f.path, epoch_ms(f.hour) AS hour_ms, f.source, s.topic, s.partition, s.incarnation, f.first_offset, f.last_offset, f.calls,
       f.bytes, epoch_ms(f.min_at) AS min_at_ms, epoch_ms(f.max_at) AS max_at_ms, f.sha256, f.schema_version, f.level,
       epoch_ms(f.stored_at) AS stored_ms, c.quiet
FROM chosen c
JOIN api_files f ON f.source = c.source AND f.hour = c.hour AND (c.quiet OR f.level = c.level)
JOIN api_sources s ON s.id = f.source
WHERE f.removed_at IS NULL AND f.bytes < $1 AND f.schema_version <= $2
ORDER BY f.level, f.first_offset, f.path LIMIT $5
