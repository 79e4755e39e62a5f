-- The programs that the gate keeps in a shard.
-- Arguments: $1 shard. Result: their ids, ascending. Cost: the whole table of programs, which is small.
SELECT p.id FROM programs p WHERE p.shard = $1 ORDER BY p.id
