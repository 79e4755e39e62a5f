#!lua flags=allow-oom
-- Applies the state of one order in Postgres to the gate.
-- live  The order gets its seats, whichever order holds them here; its timeout is due in ARGV[8],
--       or there is none. A tombstone prevents it.
-- gone  The seats it owns are freed, its tickets, reservation and entry are deleted, and a
--       tombstone stays for an hour.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 order, 2 nonce, 3 user or '', 4 idempotency key or '', 5 category or '', 6 seats or ''
--       (then user, key and seats are those of the reservation), 7 'live' | 'gone', 8 due in ms or
--       '', 9 '1' to delete the idempotency key (gone only)
-- Gives DONE seats-freed displaced-order:nonce ... | TOMB | UNKNOWN (seats) | NOSEAT | ABSENT (no
--       header, or a damaged map); only DONE changed anything
-- Cost  the chunks of the order's seats, O(log n) for the entry
-- Idempotent: repeated, it changes nothing. Works while the gate is being filled.
--@include delay/clock
--@include delay/entry
--@include gate/keys
--@include gate/seats
--@include gate/live
local order, nonce, user, key, cat, to = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[7]
if redis.call('HEXISTS', head_key, 'state') == 0 then return { 'ABSENT' } end
if not is_order(order) or not is_nonce(nonce) then return bad('order and nonce are required') end
if not user or not key or not cat then
  return bad('user, key and category must be given, or empty')
end
if to ~= 'live' and to ~= 'gone' then return bad("expected 'live' or 'gone'") end
local due_ms = whole(ARGV[8])
if not due_ms and ARGV[8] ~= '' then
  return bad('the time until payment is due must be a number of ms, or empty')
end
local seats = seat_list(ARGV[6])
if not seats and ARGV[6] ~= '' then return bad('seats must be 1 to 20, ascending') end
if seats and not string.match(cat, '^%d+$') then return bad('seats require a category') end

-- A reservation under another nonce belongs to another order and is not changed.
local resv = resv_key(order)
local f = redis.call('HMGET', resv, 'nonce', 'user', 'key', 'category', 'seats')
local ours = f[1] == nonce
if ours then
  if user == '' then user = f[2] end
  if key == '' then key = f[3] end
  if not seats then cat, seats = f[4], seat_list(f[5]) end
end

local layout, chunks, problem
if seats then
  layout = layout_of(redis.call('HGET', head_key, 'layout:' .. cat))
  if layout then
    chunks, problem = open_seats(cat, layout, seats)
  else
    problem = 'NOSEAT'
  end
  if problem == 'DAMAGED' then return { 'ABSENT' } end
end

local owner = order .. ':' .. nonce
if to == 'live' then
  if redis.call('GET', tomb_key(order)) == nonce then return { 'TOMB' } end
  if not seats then return { 'UNKNOWN' } end
  if not chunks then return { problem } end
  return { 'DONE', '0', unpack(force_live(order, nonce, user, cat, layout, seats, chunks, due_ms)) }
end

local freed = 0
if chunks then
  local owners = redis.call('HMGET', owner_key, unpack(seats))
  for _, chunk in ipairs(chunks) do
    local at = {}
    for n, place in ipairs(chunk.at) do
      local seat = chunk.nth[n]
      if owners[seat] == owner then
        at[#at + 1] = place
        redis.call('HDEL', owner_key, seats[seat])
      end
    end
    set_seats(cat, layout, chunk, at, '0')
    freed = freed + #at
  end
end
-- Delete the tickets, unless another order of this number has replaced them.
if user ~= '' and (ours or f[1] == false or f[2] ~= user) then
  redis.call('HDEL', user_key(user), order)
end
redis.call('SET', tomb_key(order), nonce, 'EX', 3600)
if ours then redis.call('DEL', resv) end
if not timeout_of_another(order, nonce) then delay_cancel(timeouts, order) end
if ARGV[9] == '1' and user ~= '' and key ~= '' then
  local idem = idem_key(user, key)
  local named = redis.call('GET', idem)
  if named and named:sub(1, #owner + 1) == owner .. ':' then
    redis.call('DEL', idem)
    redis.call('ZREM', keys_key(user), key)
  end
end
return { 'DONE', tostring(freed) }
