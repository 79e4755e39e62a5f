#!lua
-- Restores clients' idempotency keys in a gate that is being filled, and renews the loader's lease.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 loader, 2 lease ms, then user, key, order, nonce, hash of the body or '' (unknown: any
--       body matches), lifetime of the key ms, repeated
-- Gives 1, or 0: the filling is not the caller's (nothing changed)
-- Cost  two commands for each key, and those of gate/idems for a buyer with too many. Refused
--       under memory pressure, before any write. Idempotent. The order of Postgres replaces the one
--       stored here: order-create would reject any other as its duplicate. Run it after all live
--       orders are merged: gate/idems drops keys of other orders.
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
--@include gate/idems
local head = redis.call('HMGET', head_key, 'state', 'epoch', 'replid')
if head[1] ~= 'loading' or head[2] ~= ARGV[1] or head[3] ~= server_replid() then return { 0 } end
local lease_ms = whole(ARGV[2])
if not lease_ms or lease_ms < 1 then return bad('a lease in ms is required') end
if #ARGV % 6 ~= 2 then return bad('user, key, order, nonce, hash and time are required') end
for at = 3, #ARGV, 6 do
  local ttl = whole(ARGV[at + 5])
  local valid = is_order(ARGV[at + 2]) and is_nonce(ARGV[at + 3])
  if ARGV[at] == '' or ARGV[at + 1] == '' or not valid then
    return bad('a user, a key, an order number and a nonce are required for each key')
  end
  if not string.match(ARGV[at + 4], '^%x*$') or not ttl or ttl < 1 then
    return bad('order ' .. ARGV[at + 2] .. ' must have a hash of hex digits and a time in ms')
  end
end

for at = 3, #ARGV, 6 do
  local named = ARGV[at + 2] .. ':' .. ARGV[at + 3] .. ':' .. ARGV[at + 4]
  local buyers_keys = idems_key(ARGV[at])
  local idems = redis.call('GET', buyers_keys)
  remember(buyers_keys, ARGV[at], ARGV[at + 1], named, whole(ARGV[at + 5]), idems)
end
redis.call('HSET', head_key, 'lease', string.format('%.0f', now_up + lease_ms))
return { 1 }
