#!lua
-- Stores the body of a program, unless a newer version is known: a floor above it, or a newer body.
-- KEYS  1 `<env>:{p<id>}:program:floor`
-- ARGV  1 the lease, 2 version, 3 body, 4 time to live ms
-- Gives STORED | OLD (a newer version is known) | NOLEASE (the server has lost its data since, or
--       the lease has ended)
-- Cost  O(size of the body). Refused under memory pressure, before any write. May be repeated.
--@include cache/keys
local lease, version, body, ttl = ARGV[1], whole(ARGV[2]), ARGV[3], whole(ARGV[4])
if not version or not body or not ttl or ttl < 1 then
  return bad('a version, a body and a time to live are required')
end
if redis.call('GET', lease_key) ~= lease then return { 'NOLEASE' } end
local kept = whole(redis.call('HGET', body_key, 'version') or '0') or 0
if version < floor() or version < kept then return { 'OLD' } end
redis.call('HSET', body_key, 'version', ARGV[2], 'body', body)
redis.call('PEXPIRE', body_key, ttl)
return { 'STORED' }
