-- Stores a new program.
-- Arguments: $1 id, $2 shard, $3 title, $4 pay window ms, $5 limit of tickets per user.
INSERT INTO programs (id, shard, title, pay_window_ms, user_limit) VALUES ($1, $2, $3, $4, $5)
