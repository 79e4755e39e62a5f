-- The programs of a shard.
-- Arguments: $1 shard. Result: their ids, ascending. Cost: a scan of the table, which is small.
SELECT p.id FROM programs p WHERE p.shard = $1 ORDER BY p.id
