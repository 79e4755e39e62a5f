-- Frees an idempotency key whose operation failed.
-- KEYS[1]: the key, as in begin.lua.
-- ARGV: 1 token.
-- Result: keys deleted. None if the caller no longer has the lease.
-- Cost: O(1).
local found = redis.call('HMGET', KEYS[1], 'token', 'result')
if found[1] ~= ARGV[1] or found[2] then return 0 end
return redis.call('DEL', KEYS[1])
