#!lua
-- Looks for the body of a program; one who does not find it gets a lease, without which nothing can be put.
-- KEYS  1 `<env>:{p<id>}:program:floor`
-- ARGV  1 a random token, 2 how long a lease is good for, ms
-- Gives HIT version body | MISS lease
-- Cost  O(size of the body). A lease that stands is shared by all who miss; repeated, it answers the same.
--@include cache/keys
local token, lease_ms = ARGV[1], whole(ARGV[2])
if not string.match(token or '', '^%x+$') or not lease_ms or lease_ms < 1 then return bad('a token and a time are needed') end
local kept = redis.call('HMGET', body_key, 'version', 'body')
local version = whole(kept[1])
-- One below the floor should have been dropped; judged here as well, nothing depends on that.
if version and kept[2] and version >= floor() then return { 'HIT', kept[1], kept[2] } end
redis.call('SET', lease_key, token, 'NX', 'PX', lease_ms)
return { 'MISS', redis.call('GET', lease_key) }
