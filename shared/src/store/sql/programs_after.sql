-- Programs ascending by identity, one page.
-- Arguments: $1 only identities above this, $2 limit. Result: one row per program, ascending.
SELECT id, shard FROM programs WHERE id > $1 ORDER BY id LIMIT $2
