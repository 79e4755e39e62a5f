#!lua
-- Reserves seats for a buyer: seats, owner, tickets, reservation, key and timeout entry, or
-- nothing.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 order, 2 nonce, 3 user, 4 category, 5 'seats' | 'best', 6 '3,4,5' | how many, 7 the terms
--       of the sale: unit price, ticket limit of the user, publish window ms, lifetime of the key
--       ms, 8 idempotency key or '', 9 hash of the body or '', 10 what else the message has
--       (gate/reservation)
-- Gives NEW seats | HELD order:nonce reservation (a repeat) | AGAIN order:nonce reservation
--       | ENDED order:nonce | KEYREUSED | SOLDOUT | NOTADJACENT free | BLOCKED seats | TAKEN seats
--       | NOSEAT | LIMIT have | LOADING | REBUILD | INUSE
-- Cost  one chunk for the best seats, or only the seats behind those of the last order (gate/best);
--       the chunks of the seats for chosen ones; the buyer's keys if they are too many (gate/idems).
--       Refused under memory pressure, before any write.
-- Idempotent by order and nonce (the same seats) and by the client's key (its earlier order).
--@function
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
--@include gate/reservation
--@include gate/idems
--@include gate/earlier
--@include gate/seats
--@include gate/best
--@include gate/terms
local order, nonce, user, cat, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local key, body_hash, message = ARGV[8], ARGV[9], ARGV[10]

local fields = fields_of(cat)
local head =
  redis.call('HMGET', head_key, 'state', 'replid', fields.layout, fields.free, fields.freed)
if not head[1] or not is_on_server(head[2], now) then return { 'REBUILD' } end
if head[1] ~= 'open' then return { 'LOADING' } end

if not is_order(order) then return bad('the order number must be 1 to 19 digits') end
if not is_nonce(nonce) then return bad('the nonce must be 32 hex digits') end
local terms = terms_of(ARGV[7])
if not terms then return bad('the terms must be four numbers, the times at least 1 ms') end
if not string.find(user or '', '^%S+$') or not string.find(key or ' ', '^%S*$') then
  return bad('user and key must have no white space')
end
if not string.find(body_hash or '-', '^%x*$') then return bad('the body hash must be hex digits') end
if not message then return bad('10 arguments are required') end
local chosen, names, count
if mode == 'seats' then
  chosen, names = seat_list(ARGV[6])
  count = chosen and #chosen
elseif mode == 'best' then
  count = whole(ARGV[6])
end
if not count or count < 1 or count > 20 then
  return bad('expected 1 to 20 seats, ascending, or a count of 1 to 20')
end

local owner = order .. ':' .. nonce

local resv, tomb = resv_key(order), tomb_key(order)
local found, buyers_keys, idems
if key == '' then
  found = redis.call('MGET', resv, tomb)
else
  buyers_keys = idems_key(user)
  found = redis.call('MGET', resv, tomb, buyers_keys, old_idem_key(user, key))
  idems = found[3]
  -- The client's key first: a repeated request must find its order, also when no seat is free.
  local named = named_by(idems, key, found[4])
  local earlier = earlier_order(named, body_hash, terms.window, owner)
  if earlier then return earlier end
end
if found[1] or found[2] then
  local r = parse_reservation(found[1])
  if r and r.nonce == nonce then return { 'HELD', owner, r.text } end
  return { 'INUSE' }
end

-- The sum of the hash, not a counter: deleting an ended order twice is harmless.
local have, buyer = 0, user_key(user)
for _, tickets in ipairs(redis.call('HVALS', buyer)) do have = have + tickets end
if have + count > terms.limit then return { 'LIMIT', have } end

local layout = layout_of(head[3])
if not layout then return { 'NOSEAT' } end
local maps, best, free
if mode == 'seats' then
  maps = {}
  local chunks, problem = open_seats(cat, layout, chosen, maps)
  if not chunks then return { problem == 'DAMAGED' and 'REBUILD' or problem } end
  local taken, blocked = {}, {}
  for _, chunk in ipairs(chunks) do
    for n, place in ipairs(chunk.at) do
      local code = seat_code(chunk.map, place)
      if is_blocked(code) then
        blocked[#blocked + 1] = chosen[chunk.nth[n]]
      elseif code ~= FREE then
        taken[#taken + 1] = chosen[chunk.nth[n]]
      end
      set_seat(chunk.map, place, TAKEN)
    end
  end
  -- A taken seat may become free again, a blocked one need not.
  if #blocked > 0 then return { 'BLOCKED', table.concat(blocked, ',') } end
  if #taken > 0 then return { 'TAKEN', table.concat(taken, ',') } end
else
  free = tonumber(head[4]) or 0
  if free == 0 then return { 'SOLDOUT' } end
  best = next_best(cat, layout, count, free, head[5])
  if not best then
    local problem
    best, problem = find_best(cat, layout, count)
    if problem then return { 'REBUILD' } end
  end
  if not best then return { 'NOTADJACENT', free } end
  local first = layout.first + best.no * layout.span + best.at - 1
  names = {}
  for n = 1, count do names[n] = digits_of(first + n - 1) end
end

-- The timeout entry is the first write: one of another order with this number refuses it.
local due = digits_of(now_up + terms.window)
if redis.call('ZADD', timeouts.due, 'NX', due, order) == 0 then
  if timeout_of_another(order, nonce) then return { 'INUSE' } end
  delay_reschedule(timeouts, order, due)
end
redis.call('HSET', timeouts.job, order, timeout_job(nonce))

-- Nothing below this line can fail.
if best then
  take_best(cat, layout, best, count)
  keep_rest(cat, layout, best, count, free, head[5])
else
  write_maps(maps)
end
local owners = {}
for n, seat in ipairs(names) do owners[2 * n - 1], owners[2 * n] = seat, owner end
redis.call('HSET', owner_key, unpack(owners))
redis.call('HSET', buyer, order, digits_of(count))
local list = table.concat(names, ',')
redis.call(
  'SET', resv,
  'held 1  ' .. nonce .. ' ' .. program_id .. ' ' .. cat .. ' ' .. terms.price .. ' ' .. list
    .. ' ' .. user .. ' ' .. key .. '\n' .. message
)
if key ~= '' then
  remember(buyers_keys, user, key, owner .. ':' .. body_hash, terms.key_ttl, idems)
end
return { 'NEW', list }
