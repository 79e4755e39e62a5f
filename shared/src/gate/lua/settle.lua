#!lua flags=allow-oom
-- Applies the states of orders in Postgres to the gate, one after the other.
-- live  The order gets its seats, whichever order holds them here; its timeout is due in the time
--       given, or there is none. A tombstone prevents it.
-- gone  The seats it owns are freed, its tickets, reservation and entry are deleted, and a
--       tombstone stays for an hour.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 order, 2 nonce, 3 user or '', 4 idempotency key or '', 5 category or '', 6 seats or ''
--       (then user, key and seats are those of the reservation), 7 'live' | 'gone', 8 due in ms or
--       '', 9 '1' to delete the idempotency key (gone only); repeated, for at most 500 orders
-- Gives for each order: DONE seats-freed displaced-order:nonce ... | TOMB | UNKNOWN (seats) |
--       NOSEAT | ABSENT (no header, or a damaged map); only DONE changed anything
-- Cost  about 5 us for an accepted order that owns its seats; for others the chunks of their seats,
--       once for each call, and O(log n) for the entry.
-- Idempotent: repeated, it changes nothing. Works while the gate is being filled.
--@include delay/clock
--@include delay/entry
--@include gate/keys
--@include gate/seats
--@include gate/many
if #ARGV == 0 or #ARGV % 9 ~= 0 or #ARGV > 4500 then
  return bad('nine arguments are required for each of at most 500 orders')
end
local orders, live_tombs, live_orders, live_seats = {}, {}, {}, {}
for at = 1, #ARGV, 9 do
  local o = {
    order = ARGV[at], nonce = ARGV[at + 1], user = ARGV[at + 2], key = ARGV[at + 3],
    cat = ARGV[at + 4], seats = seat_list(ARGV[at + 5]), lives = ARGV[at + 6] == 'live',
    due_ms = whole(ARGV[at + 7]), forgets = ARGV[at + 8] == '1',
  }
  if not is_order(o.order) or not is_nonce(o.nonce) then
    return bad('order and nonce are required')
  end
  if not o.lives and ARGV[at + 6] ~= 'gone' then return bad("expected 'live' or 'gone'") end
  if not o.due_ms and ARGV[at + 7] ~= '' then
    return bad('the time until payment is due must be a number of ms, or empty')
  end
  if not o.seats and ARGV[at + 5] ~= '' then return bad('seats must be 1 to 20, ascending') end
  if o.seats and not string.match(o.cat, '^%d+$') then return bad('seats require a category') end
  o.me = o.order .. ':' .. o.nonce
  orders[#orders + 1] = o
  if o.lives then
    live_orders[#live_orders + 1] = o.order
    live_tombs[#live_tombs + 1] = tomb_key(o.order)
    for _, seat in ipairs(o.seats or {}) do live_seats[#live_seats + 1] = seat end
  end
end
local installed = redis.call('HEXISTS', head_key, 'state') == 1

-- What several orders of the call need is read once: layouts, chunks, owners of seats, tombstones.
local layouts, maps, owners, tombs = {}, {}, {}, {}
for n, owner in ipairs(in_slices('HMGET', owner_key, live_seats)) do
  owners[live_seats[n]] = owner
end
if #live_tombs > 0 then
  for n, nonce in ipairs(redis.call('MGET', unpack(live_tombs))) do tombs[live_orders[n]] = nonce end
end

local function layout_for(cat)
  if layouts[cat] == nil then
    layouts[cat] = layout_of(redis.call('HGET', head_key, 'layout:' .. cat)) or false
  end
  return layouts[cat]
end

local function owners_of(seats)
  for _, seat in ipairs(seats) do
    if owners[seat] == nil then
      for n, owner in ipairs(redis.call('HMGET', owner_key, unpack(seats))) do
        owners[seats[n]] = owner
      end
      return
    end
  end
end

-- Reads the order's reservation, and takes from it what the caller does not know. A reservation
-- under another nonce belongs to another order and is not changed.
local function read_reservation(o)
  o.resv = resv_key(o.order)
  local f = redis.call('HMGET', o.resv, 'nonce', 'user', 'key', 'category', 'seats', 'state')
  o.named, o.reserved_by, o.ours, o.state = f[1], f[2], f[1] == o.nonce, f[6]
  if o.ours then
    if o.user == '' then o.user = f[2] end
    if o.key == '' then o.key = f[3] end
    if not o.seats then o.cat, o.seats = f[4], seat_list(f[5]) end
  end
end

-- The opened chunks of the order's seats; nil, or nil and why they cannot be used.
local function open_of(o)
  if not o.seats then return nil end
  local layout = layout_for(o.cat)
  if not layout then return nil, 'NOSEAT' end
  return open_seats(o.cat, layout, o.seats, maps)
end

-- Milliseconds by which the entry of an accepted order may differ from what Postgres says: the
-- closer asks Postgres before it closes an order.
local TOLERANCE = 1000

local function set_timeout(o)
  -- Accepting wrote the entry of this reservation, due when the order's message says.
  if o.due_ms and o.ours and o.state == 'accepted' then
    local due = tonumber(redis.call('ZSCORE', timeouts.due, o.order) or nil)
    if due and math.abs(due - now_up - o.due_ms) <= TOLERANCE then return end
  end
  if timeout_of_another(o.order, o.nonce) then return end
  if o.due_ms then
    delay_put(timeouts, o.order, timeout_job(o.nonce), now_up + o.due_ms)
  else
    delay_cancel(timeouts, o.order)
  end
end

-- Gives the order its seats, and returns the orders that held them, each once.
local function take_seats(o, chunks)
  local displaced, seen, taken = {}, {}, {}
  for _, seat in ipairs(o.seats) do
    local owner = owners[seat]
    if owner ~= o.me then
      taken[#taken + 1], taken[#taken + 2] = seat, o.me
      owners[seat] = o.me
      if owner and not seen[owner] then
        seen[owner] = true
        displaced[#displaced + 1] = owner
      end
    end
  end
  for _, chunk in ipairs(chunks) do
    local at = {}
    for _, place in ipairs(chunk.at) do
      if chunk.map.bytes:byte(place) ~= 49 then at[#at + 1] = place end
    end
    set_seats(o.cat, layouts[o.cat], chunk, at, '1')
  end
  redis.call('HSET', owner_key, unpack(taken))
  return displaced
end

local function owns_all(o)
  for _, seat in ipairs(o.seats) do
    if owners[seat] ~= o.me then return false end
  end
  return true
end

local function settle_live(o)
  if tombs[o.order] == o.nonce then return { 'TOMB' } end
  read_reservation(o)
  if not o.seats then return { 'UNKNOWN' } end
  owners_of(o.seats)
  local displaced = {}
  if not owns_all(o) then
    local chunks, problem = open_of(o)
    if not chunks then return { problem == 'DAMAGED' and 'ABSENT' or problem } end
    displaced = take_seats(o, chunks)
  end
  -- Reserve counted these seats as the buyer's, unless another order of this number has counted
  -- its own since.
  if o.user ~= '' then
    local tickets, count = user_key(o.user), tostring(#o.seats)
    if redis.call('HGET', tickets, o.order) ~= count then
      redis.call('HSET', tickets, o.order, count)
    end
  end
  set_timeout(o)
  -- The reservation stays one more hour for late requests.
  if o.ours then
    if o.state ~= 'stored' then
      redis.call('HSET', o.resv, 'state', 'stored')
      redis.call('HDEL', o.resv, 'message')
    end
    redis.call('PEXPIRE', o.resv, (o.due_ms or 0) + 3600000)
  end
  return { 'DONE', '0', unpack(displaced) }
end

local function settle_gone(o)
  read_reservation(o)
  local chunks, problem = open_of(o)
  if problem == 'DAMAGED' then return { 'ABSENT' } end
  local freed, disowned = 0, {}
  if chunks then owners_of(o.seats) end
  for _, chunk in ipairs(chunks or {}) do
    local at = {}
    for n, place in ipairs(chunk.at) do
      local seat = o.seats[chunk.nth[n]]
      if owners[seat] == o.me then
        at[#at + 1], disowned[#disowned + 1] = place, seat
        owners[seat] = false
      end
    end
    set_seats(o.cat, layouts[o.cat], chunk, at, '0')
    freed = freed + #at
  end
  if #disowned > 0 then redis.call('HDEL', owner_key, unpack(disowned)) end
  -- Delete the tickets, unless another order of this number has replaced them.
  if o.user ~= '' and (o.ours or o.named == false or o.reserved_by ~= o.user) then
    redis.call('HDEL', user_key(o.user), o.order)
  end
  redis.call('SET', tomb_key(o.order), o.nonce, 'EX', 3600)
  tombs[o.order] = o.nonce
  if o.ours then redis.call('DEL', o.resv) end
  if not timeout_of_another(o.order, o.nonce) then delay_cancel(timeouts, o.order) end
  if o.forgets and o.user ~= '' and o.key ~= '' then
    local idem = idem_key(o.user, o.key)
    local named = redis.call('GET', idem)
    if named and named:sub(1, #o.me + 1) == o.me .. ':' then
      redis.call('DEL', idem)
      redis.call('ZREM', keys_key(o.user), o.key)
    end
  end
  return { 'DONE', tostring(freed) }
end

local replies = {}
for n, o in ipairs(orders) do
  if not installed then
    replies[n] = { 'ABSENT' }
  else
    replies[n] = o.lives and settle_live(o) or settle_gone(o)
  end
end
return replies
