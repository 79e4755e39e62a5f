-- Programs in the order of their identities, a page at a time: for whoever goes through all of them.
-- Arguments: $1 identity to go on after (0: from the first), $2 most rows. Result: a row a program, ascending.
SELECT id, shard FROM programs WHERE id > $1 ORDER BY id LIMIT $2
