-- Notes where a round of the sweep goes on. Of two processes that sweep at once the later one counts: a part is swept twice, none is left out
-- for longer than a round.
-- Arguments: $1 name of the round, $2 position. Result: rows affected.
INSERT INTO sweep_positions (round, position) VALUES ($1, $2)
ON CONFLICT (round) DO UPDATE SET position = excluded.position, updated_at = now()
