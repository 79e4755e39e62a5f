-- Stores the result of a leased idempotency key.
-- KEYS[1]: the key, as in begin.lua.
-- ARGV: 1 token, 2 payload hash, 3 result, 4 keep time in ms.
-- Result: 1 if stored; 0 if another caller has leased or completed the key. A key whose lease has ended and that no other
-- caller has leased is completed as well: the operation was run.
-- Cost: O(1).
local found = redis.call('HMGET', KEYS[1], 'token', 'result')
if found[1] and (found[1] ~= ARGV[1] or found[2]) then return 0 end
redis.call('HSET', KEYS[1], 'payload', ARGV[2], 'token', ARGV[1], 'result', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
