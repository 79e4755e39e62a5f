-- Collect: inserts a new source, for a partition that is read for the first time or whose topic was
-- created again.
-- Arguments: $1 topic, $2 partition, $3 incarnation. Result: its id. The partition's progress must
--   be locked.
INSERT INTO api_sources (topic, partition, incarnation) VALUES ($1, $2, $3) RETURNING id
