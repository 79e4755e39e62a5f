#!lua
-- Looks up the body of a program. A miss grants a lease, which put.lua requires.
-- KEYS  1 `<env>:{p<id>}:program:floor`
-- ARGV  1 a random token, 2 time of the lease, ms
-- Gives HIT version body | MISS lease
-- Cost  O(size of the body). Concurrent misses share one lease. Repeated, it returns the same.
--@include cache/keys
local token, lease_ms = ARGV[1], whole(ARGV[2])
if not string.match(token or '', '^%x+$') or not lease_ms or lease_ms < 1 then
  return bad('a token and a time are required')
end
local kept = redis.call('HMGET', body_key, 'version', 'body')
local version = whole(kept[1])
-- raise.lua drops a body below the floor; this check does not depend on it.
if version and kept[2] and version >= floor() then return { 'HIT', kept[1], kept[2] } end
redis.call('SET', lease_key, token, 'NX', 'PX', lease_ms)
return { 'MISS', redis.call('GET', lease_key) }
