#!lua
-- Adds orders that Postgres says are live to a gate that is being filled, and renews the loader's lease.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 loader, 2 lease ms, then order, nonce, user, category, seats, due in ms or '', repeated
-- Gives DONE 'order,order' (left out: the map does not have their seats) displaced-order:nonce ...
--       | STALE (the filling is not the caller's, or the map is damaged: nothing changed)
-- Cost  the chunks of the orders' seats. Refused under memory pressure, before any write.
-- Idempotent. Orders that have ended (tombstones) are left out.
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
--@include gate/seats
--@include gate/live
local head = redis.call('HMGET', head_key, 'state', 'epoch', 'replid')
if head[1] ~= 'loading' or head[2] ~= ARGV[1] or head[3] ~= server_replid() then return { 'STALE' } end
local lease_ms = whole(ARGV[2])
if not lease_ms or lease_ms < 1 then return bad('a lease in ms is needed') end
if #ARGV % 6 ~= 2 then return bad('order, nonce, user, category, seats, due are needed for each order') end

local orders, outside, layouts = {}, {}, {}
for at = 3, #ARGV, 6 do
  local o = { order = ARGV[at], nonce = ARGV[at + 1], user = ARGV[at + 2], cat = ARGV[at + 3], seats = seat_list(ARGV[at + 4]) }
  o.due_ms = whole(ARGV[at + 5])
  if not is_order(o.order) or not is_nonce(o.nonce) or o.user == '' or not o.seats then
    return bad('order ' .. o.order .. ' must have a number, a nonce, a user and 1 to 20 ascending seats')
  end
  if not o.due_ms and ARGV[at + 5] ~= '' then return bad('order ' .. o.order .. ' is due at no number of ms') end
  layouts[o.cat] = layouts[o.cat] or layout_of(redis.call('HGET', head_key, 'layout:' .. o.cat))
  local opened, problem
  if layouts[o.cat] then opened, problem = open_seats(o.cat, layouts[o.cat], o.seats) end
  if problem == 'DAMAGED' then return { 'STALE' } end
  if opened then orders[#orders + 1] = o else outside[#outside + 1] = o.order end
end

local reply = { 'DONE', table.concat(outside, ',') }
for _, o in ipairs(orders) do
  if redis.call('GET', tomb_key(o.order)) ~= o.nonce then
    -- Opened anew: an order before it may have changed the chunk.
    local chunks = open_seats(o.cat, layouts[o.cat], o.seats)
    for _, owner in ipairs(force_live(o.order, o.nonce, o.user, o.cat, layouts[o.cat], o.seats, chunks, o.due_ms)) do
      reply[#reply + 1] = owner
    end
  end
end
redis.call('HSET', head_key, 'lease', string.format('%.0f', now_up + lease_ms))
return reply
