-- Stores the position of a round of the sweep. If two processes sweep at once, the later one
-- overwrites: a part may be swept twice, and none is skipped for longer than a round.
-- Arguments: $1 name of the round, $2 position. Result: rows affected.
INSERT INTO sweep_positions (round, position) VALUES ($1, $2)
ON CONFLICT (round) DO UPDATE SET position = excluded.position, updated_at = now()
