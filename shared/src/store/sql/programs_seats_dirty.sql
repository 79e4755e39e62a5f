-- Programs whose seats the gate may not have as they are here, one page.
-- Arguments: $1 only identities above this, $2 limit. Result: identities, ascending. Cost: a partial
-- index, empty as a rule.
SELECT id FROM programs WHERE seats_dirty AND id > $1 ORDER BY id LIMIT $2
