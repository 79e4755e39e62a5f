#!lua flags=allow-oom
-- Renews the lease of a filling and stores its position, where the next loader resumes. A lease of
-- 1 ms releases the filling.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 loader, 2 lease ms, 3 position (opaque text), or '' to keep the stored one
-- Gives 1, or 0: the filling is not the caller's (nothing changed)
-- Cost  O(1)
-- Idempotent.
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
local lease_ms, position = whole(ARGV[2]), ARGV[3]
if not lease_ms or lease_ms < 1 then return bad('a lease in ms is required') end
if not position or #position > 64 then return bad('the position must have at most 64 bytes') end
local head = redis.call('HMGET', head_key, 'state', 'epoch', 'replid')
if head[1] ~= 'loading' or head[2] ~= ARGV[1] or head[3] ~= server_replid() then return { 0 } end
redis.call('HSET', head_key, 'lease', string.format('%.0f', now_up + lease_ms))
if position ~= '' then redis.call('HSET', head_key, 'position', position) end
return { 1 }
