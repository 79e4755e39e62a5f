#!lua flags=allow-oom
-- Applies the states of orders in Postgres to the gate, one after the other. What the orders of a
-- call have in common is read once before and written once after them.
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
-- Cost  two commands for an order with a reservation that owns its seats, one for an order without
--       one; for an ended order up to seven; the other commands once for each call, and each chunk
--       of the seats that change.
-- Idempotent: repeated, it changes nothing. Works while the gate is being filled.
--@function
--@include delay/clock
--@include delay/entry
--@include gate/keys
--@include gate/reservation
--@include gate/idems
--@include gate/seats
--@include gate/many
if #ARGV == 0 or #ARGV % 9 ~= 0 or #ARGV > 4500 then
  return bad('nine arguments are required for each of at most 500 orders')
end
local orders = {}
for at = 1, #ARGV, 9 do
  local o = {
    order = ARGV[at], nonce = ARGV[at + 1], me = ARGV[at] .. ':' .. ARGV[at + 1],
    user = ARGV[at + 2], key = ARGV[at + 3], cat = ARGV[at + 4], list = ARGV[at + 5],
    lives = ARGV[at + 6] == 'live', due_ms = whole(ARGV[at + 7]), forgets = ARGV[at + 8] == '1',
  }
  if not is_order(o.order) or not is_nonce(o.nonce) then
    return bad('order and nonce are required')
  end
  if not o.lives and ARGV[at + 6] ~= 'gone' then return bad("expected 'live' or 'gone'") end
  if not o.due_ms and ARGV[at + 7] ~= '' then
    return bad('the time until payment is due must be a number of ms, or empty')
  end
  if o.list ~= '' and not string.find(o.cat, '^%d+$') then
    return bad('seats require a category')
  end
  orders[#orders + 1] = o
end
if redis.call('HEXISTS', head_key, 'state') == 0 then
  local absent = {}
  for n = 1, #orders do absent[n] = { 'ABSENT' } end
  return absent
end

-- What the gate has: tombstones, reservations, owners of seats, layouts, chunks, timeout entries.
-- The orders of the call change these tables; the last part of the script writes the differences.
local tombs, reservations, owners, layouts, maps = {}, {}, {}, {}, {}
-- The old owners of the seats that change, and the timeout entries.
local old_owners, entries = {}, {}
local function set_owner(seat, owner)
  if old_owners[seat] == nil then old_owners[seat] = owners[seat] or false end
  owners[seat] = owner
end

local numbers, tomb_keys, resv_keys = {}, {}, {}
for n, o in ipairs(orders) do
  numbers[n], tomb_keys[n], resv_keys[n] = o.order, tomb_key(o.order), resv_key(o.order)
end
for n, nonce in ipairs(redis.call('MGET', unpack(tomb_keys))) do tombs[numbers[n]] = nonce end
local texts, missing = redis.call('MGET', unpack(resv_keys)), {}
for n, text in ipairs(texts) do
  reservations[numbers[n]] = parse_reservation(text)
  if not text then missing[#missing + 1] = n end
end
-- MGET does not read the hashes of an earlier version.
if #missing > 0 and redis.call('EXISTS', unpack(resv_keys)) > #orders - #missing then
  for _, n in ipairs(missing) do reservations[numbers[n]] = read_reservation(resv_keys[n]) end
end

local seats_of_all, unchecked, none, DONE = {}, {}, {}, { 'DONE', '0' }
for _, o in ipairs(orders) do
  local r = reservations[o.order]
  local names
  if r and r.nonce ~= o.nonce then r = nil end
  if o.list == '' then
    names = r and select(2, seat_list(parse_rest(r).seats))
  elseif r and o.list == seats_of(r) then
    -- Reserve has checked the list.
    o.names = names_of(o.list)
    names = o.names
  else
    o.seats, o.names = seat_list(o.list)
    if not o.seats then return bad('seats must be 1 to 20, ascending') end
    names = o.names
  end
  for _, seat in ipairs(names or none) do seats_of_all[#seats_of_all + 1] = seat end
end
for n, owner in ipairs(in_slices('HMGET', owner_key, seats_of_all)) do
  owners[seats_of_all[n]] = owner
end

-- Milliseconds by which the entry of an accepted order may differ from what Postgres says: the
-- closer asks Postgres before it closes an order.
local TOLERANCE = 1000

-- Accepting wrote the entry of this reservation, due when the order's message says.
for n, due in ipairs(redis.call('ZMSCORE', timeouts.due, unpack(numbers))) do
  local o, r = orders[n], reservations[numbers[n]]
  o.was_put = o.lives and o.due_ms and r and r.nonce == o.nonce and r.state == 'accepted' and due
    and math.abs(due - now_up - o.due_ms) <= TOLERANCE
  if not o.was_put then unchecked[#unchecked + 1] = o.order end
end
for n, body in ipairs(in_slices('HMGET', timeouts.job, unchecked)) do
  entries[unchecked[n]] = { body = body }
end

-- The entry of another order with the same number is not changed.
local function set_timeout(o, due)
  local entry = entries[o.order] or { body = redis.call('HGET', timeouts.job, o.order) }
  entries[o.order] = entry
  local body = timeout_job(o.nonce)
  if entry.body and entry.body ~= body then return end
  entry.body, entry.due, entry.changed = due and body, due, true
end

local function layout_for(cat)
  if layouts[cat] == nil then
    layouts[cat] = layout_of(redis.call('HGET', head_key, 'layout:' .. cat)) or false
  end
  return layouts[cat]
end

-- The opened chunks of the order's seats; nil, or nil and why they cannot be used.
local function open_of(o)
  if not o.names then return nil end
  o.seats = o.seats or seat_list(o.list)
  local layout = layout_for(o.cat)
  if not layout then return nil, 'NOSEAT' end
  return open_seats(o.cat, layout, o.seats, maps)
end

-- Gives the order its seats, and returns the orders that held them, each once.
local function take_seats(o, chunks)
  local displaced, seen = {}, {}
  for _, seat in ipairs(o.names) do
    local owner = owners[seat]
    if owner and owner ~= o.me and not seen[owner] then
      seen[owner] = true
      displaced[#displaced + 1] = owner
    end
    set_owner(seat, o.me)
  end
  for _, chunk in ipairs(chunks) do
    for _, place in ipairs(chunk.at) do take_seat(chunk.map, place) end
  end
  return displaced
end

local function owns_all(o)
  for _, seat in ipairs(o.names) do
    if owners[seat] ~= o.me then return false end
  end
  return true
end

-- The order's reservation; nil for none. Completes what the caller does not know. A reservation
-- under another nonce belongs to another order and is not changed.
local function own_reservation(o)
  local r = reservations[o.order]
  if not r or r.nonce ~= o.nonce then return nil end
  if o.user ~= '' and o.names and not o.forgets then return r end
  parse_rest(r)
  if o.user == '' then o.user = r.user end
  if o.key == '' then o.key = r.key end
  if not o.names then
    o.cat, o.seats, o.names = r.category, seat_list(r.seats)
  end
  return r
end

local function settle_live(o)
  if tombs[o.order] == o.nonce then return { 'TOMB' } end
  local r = own_reservation(o)
  if not o.names then return { 'UNKNOWN' } end
  local displaced = none
  if not owns_all(o) then
    local chunks, problem = open_of(o)
    if not chunks then return { problem == 'DAMAGED' and 'ABSENT' or problem } end
    displaced = take_seats(o, chunks)
  end
  -- Reserve counted these seats as the buyer's, unless another order of this number has counted
  -- its own since.
  if o.user ~= '' then
    local tickets, count = user_key(o.user), digits_of(#o.names)
    if not r or redis.call('HGET', tickets, o.order) ~= count then
      redis.call('HSET', tickets, o.order, count)
    end
  end
  if not (o.was_put and r and r.state == 'accepted') then
    set_timeout(o, o.due_ms and now_up + o.due_ms)
  end
  -- The reservation stays one more hour for late requests.
  if r then
    mark_stored(resv_key(o.order), r, digits_of((o.due_ms or 0) + 3600000))
    r.state = 'stored'
  end
  return displaced == none and DONE or { 'DONE', '0', unpack(displaced) }
end

local function settle_gone(o)
  local r = own_reservation(o)
  local chunks, problem = open_of(o)
  if problem == 'DAMAGED' then return { 'ABSENT' } end
  local freed = 0
  for _, chunk in ipairs(chunks or {}) do
    for n, place in ipairs(chunk.at) do
      local seat = o.names[chunk.nth[n]]
      if owners[seat] == o.me then
        free_seat(chunk.map, place)
        set_owner(seat, false)
        freed = freed + 1
      end
    end
  end
  -- Delete the tickets, unless another order of this number has replaced them.
  local named = reservations[o.order]
  if o.user ~= '' and (r or not named or parse_rest(named).user ~= o.user) then
    redis.call('HDEL', user_key(o.user), o.order)
  end
  redis.call('SET', tomb_key(o.order), o.nonce, 'EX', 3600)
  tombs[o.order] = o.nonce
  if r then
    redis.call('DEL', resv_key(o.order))
    reservations[o.order] = nil
  end
  set_timeout(o, nil)
  if o.forgets and o.user ~= '' and o.key ~= '' then
    forget(o.user, o.key, o.me)
  end
  return { 'DONE', tostring(freed) }
end

local replies = {}
for n, o in ipairs(orders) do replies[n] = o.lives and settle_live(o) or settle_gone(o) end

local taken, disowned = {}, {}
for seat, old in pairs(old_owners) do
  local owner = owners[seat]
  if owner ~= old then
    if owner then
      taken[#taken + 1], taken[#taken + 2] = seat, owner
    else
      disowned[#disowned + 1] = seat
    end
  end
end
in_slices('HSET', owner_key, taken)
in_slices('HDEL', owner_key, disowned)
write_maps(maps)
local put, bodies, dues, cancelled = {}, {}, {}, {}
for order, entry in pairs(entries) do
  if entry.changed and entry.due then
    put[#put + 1], bodies[#bodies + 1], dues[#dues + 1] = order, entry.body, entry.due
  elseif entry.changed then
    cancelled[#cancelled + 1] = order
  end
end
delay_put_many(timeouts, put, bodies, dues)
delay_cancel_many(timeouts, cancelled)
return replies
