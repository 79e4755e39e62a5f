#!lua flags=allow-oom
-- Renews the lease of a filling, and notes how far it has come: the next loader begins there. A lease of 1 ms gives the filling back.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 loader, 2 lease ms, 3 position (text of the loader's own), or '' to leave it
-- Gives 1, or 0: the filling is not the caller's (nothing changed)
-- Cost  O(1)
-- Idempotent.
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
local lease_ms, position = whole(ARGV[2]), ARGV[3]
if not lease_ms or lease_ms < 1 then return bad('a lease in ms is needed') end
if not position or #position > 64 then return bad('a position of at most 64 bytes is needed, or an empty one') end
local head = redis.call('HMGET', head_key, 'state', 'epoch', 'replid')
if head[1] ~= 'loading' or head[2] ~= ARGV[1] or head[3] ~= server_replid() then return { 0 } end
redis.call('HSET', head_key, 'lease', string.format('%.0f', now_up + lease_ms))
if position ~= '' then redis.call('HSET', head_key, 'position', position) end
return { 1 }
