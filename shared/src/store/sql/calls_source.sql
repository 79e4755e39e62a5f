-- Collect: a new source, for a partition read for the first time or of a topic found to be created anew.
-- Arguments: $1 topic, $2 partition, $3 incarnation. Result: its id. The partition's progress must be locked.
INSERT INTO api_sources (topic, partition, incarnation) VALUES ($1, $2, $3) RETURNING id
