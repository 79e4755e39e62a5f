-- Leases an idempotency key, or returns what holds it.
-- KEYS[1]: the key, a hash with the fields payload, token and, once completed, result.
-- ARGV: 1 token, 2 payload hash, 3 lease time in ms.
-- Result: {"leased"}, {"in_progress"}, {"completed", result} or {"payload_differs"}.
-- Cost: O(1). A key ends by its expiry: a lease after its lease time, a result after its keep time.
local found = redis.call('HMGET', KEYS[1], 'payload', 'result')
if not found[1] then
  redis.call('HSET', KEYS[1], 'payload', ARGV[2], 'token', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return { 'leased' }
end
if found[1] ~= ARGV[2] then return { 'payload_differs' } end
if found[2] then return { 'completed', found[2] } end
return { 'in_progress' }
