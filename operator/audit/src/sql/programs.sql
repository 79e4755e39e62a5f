-- Every program. Result: id text, shard int8, user_limit int8, changing bool (seats were added, blocked or
-- unblocked, and the gate may lack that).
SELECT id::text, shard::int8, user_limit::int8, seats_dirty AS changing FROM programs ORDER BY id
