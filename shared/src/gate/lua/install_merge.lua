#!lua
-- Adds live orders of Postgres to a gate that is being filled, and renews the loader's lease.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 loader, 2 lease ms, then order, nonce, user, category, seats, due in ms or '', repeated
-- Gives DONE 'order,order' (left out: the map does not have their seats) displaced-order:nonce ...
--       | STALE (the filling is not the caller's, or the map is damaged: nothing changed)
-- Cost  each chunk of the orders' seats once, and two commands for each order: about 6 us if its
--       neighbours are in the same call. Refused under memory pressure, before any write.
--       Idempotent. Ended orders (tombstones) are left out. Of two orders with the same seat the
--       later wins.
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
--@include gate/reservation
--@include gate/seats
--@include gate/many
local head = redis.call('HMGET', head_key, 'state', 'epoch', 'replid')
local is_loader = head[1] == 'loading' and head[2] == ARGV[1]
if not is_loader or head[3] ~= server_replid() then return { 'STALE' } end
local lease_ms = whole(ARGV[2])
if not lease_ms or lease_ms < 1 then return bad('a lease in ms is required') end
if #ARGV % 6 ~= 2 or #ARGV > 6002 then
  return bad('order, nonce, user, category, seats, due are required, for at most 1,000 orders')
end

-- The orders of this call.
local named, tombs, outside, layouts = {}, {}, {}, {}
for at = 3, #ARGV, 6 do
  local o = { order = ARGV[at], nonce = ARGV[at + 1], user = ARGV[at + 2], cat = ARGV[at + 3] }
  o.seats = seat_list(ARGV[at + 4])
  o.due_ms = whole(ARGV[at + 5])
  if not is_order(o.order) or not is_nonce(o.nonce) or o.user == '' or not o.seats then
    return bad('order ' .. o.order .. ' needs a number, a nonce, a user, 1 to 20 ascending seats')
  end
  if not o.due_ms and ARGV[at + 5] ~= '' then
    return bad('the due time of order ' .. o.order .. ' must be a number of ms, or empty')
  end
  o.me = o.order .. ':' .. o.nonce
  layouts[o.cat] = layouts[o.cat] or layout_of(redis.call('HGET', head_key, 'layout:' .. o.cat))
  local layout = layouts[o.cat]
  if layout and o.seats[1] >= layout.first and o.seats[#o.seats] < layout.first + layout.seats then
    named[#named + 1], tombs[#tombs + 1] = o, tomb_key(o.order)
  else
    outside[#outside + 1] = o.order
  end
end
local ended = #tombs > 0 and redis.call('MGET', unpack(tombs)) or {}
local orders, ids, resvs = {}, {}, {}
for n, o in ipairs(named) do
  if ended[n] ~= o.nonce then
    orders[#orders + 1], ids[#ids + 1], resvs[#resvs + 1] = o, o.order, resv_key(o.order)
  end
end

-- The new owner of each seat, and the chunks of all seats, ascending by category.
local first, holder, seats_of, displaced, seen = {}, {}, {}, {}, {}
local function displace(owner)
  if not seen[owner] then
    seen[owner] = true
    displaced[#displaced + 1] = owner
  end
end
for _, o in ipairs(orders) do
  seats_of[o.cat] = seats_of[o.cat] or {}
  for _, seat in ipairs(o.seats) do
    if not holder[seat] then
      table.insert(seats_of[o.cat], seat)
      first[seat] = o.me
    elseif holder[seat] ~= o.me then
      displace(holder[seat])
    end
    holder[seat] = o.me
  end
end
local maps = {}
for cat, seats in pairs(seats_of) do
  table.sort(seats)
  local chunks = open_seats(cat, layouts[cat], seats, maps)
  if not chunks then return { 'STALE' } end
  for _, chunk in ipairs(chunks) do
    for _, place in ipairs(chunk.at) do take_seat(chunk.map, place) end
  end
end

-- Nothing above this line writes, nothing below it can fail.
for cat, seats in pairs(seats_of) do
  local owners = {}
  for n, owner in ipairs(in_slices('HMGET', owner_key, seats)) do
    local seat = seats[n]
    if owner and owner ~= first[seat] then displace(owner) end
    if owner ~= holder[seat] then owners[#owners + 1], owners[#owners + 2] = seat, holder[seat] end
  end
  in_slices('HSET', owner_key, owners)
end
write_maps(maps)
local survivors = #resvs > 0 and redis.call('EXISTS', unpack(resvs)) or 0
local entries = #ids > 0 and redis.call('HMGET', timeouts.job, unpack(ids)) or {}
local due_ids, bodies, dues = {}, {}, {}
for n, o in ipairs(orders) do
  redis.call('HSET', user_key(o.user), o.order, #o.seats)
  local r = survivors > 0 and read_reservation(resvs[n])
  if r and r.nonce == o.nonce then
    mark_stored(resvs[n], r, digits_of((o.due_ms or 0) + 3600000))
  end
  -- An entry of another order with the same number is not changed.
  local job = timeout_job(o.nonce)
  if not entries[n] or entries[n] == job then
    if o.due_ms then
      due_ids[#due_ids + 1], bodies[#bodies + 1], dues[#dues + 1] = o.order, job, now_up + o.due_ms
    elseif entries[n] then
      delay_cancel(timeouts, o.order)
    end
  end
end
delay_put_many(timeouts, due_ids, bodies, dues)
redis.call('HSET', head_key, 'lease', string.format('%.0f', now_up + lease_ms))
return { 'DONE', table.concat(outside, ','), unpack(displaced) }
