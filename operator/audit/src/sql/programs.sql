-- Every program. Result: id text, shard int8, user_limit int8.
SELECT id::text, shard::int8, user_limit::int8 FROM programs ORDER BY id
