#!lua
-- Opens a filled gate: compare-and-set on the loader.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 loader
-- Gives 1 if the gate is open by this filling, or 0: another filling has begun, or the server has
--       changed (nothing changed)
-- Cost  O(1)
-- Idempotent: repeated, it returns 1 until another filling begins.
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
local head = redis.call('HMGET', head_key, 'state', 'epoch', 'replid')
if not head[1] or head[2] ~= ARGV[1] or head[3] ~= server_replid() then return { 0 } end
redis.call('HSET', head_key, 'state', 'open')
redis.call('HDEL', head_key, 'lease', 'position')
redis.call('SREM', filling_key, program_id)
return { 1 }
