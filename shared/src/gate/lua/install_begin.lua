#!lua
-- Begins to fill the gate of a program, closed; or carries on where another loader's lease has run out. Filling keeps the seats of
-- reservations that Postgres may not know yet (held, accepted, abandoning) and forgets all others: Postgres will name them.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 loader: 32 hex digits, 2 the places of barriers in Kafka or '', 3 the grant of install_claim under which they were appended, or '', 4 lease
--       ms, then category, first:rows:row_len:chunk_rows:chunks, repeated
-- Gives MINE ends position | BUSY ms-left | OPEN (nothing to do) | ENDS (to be filled from nothing: barriers are needed)
--       | LOST (the gate does not hold this grant: the barriers may be older than the loss; nothing changed)
-- Cost  the whole program in one step: about 1.5 us a seat that has an owner, little for the others. Once per loss of Redis.
--       Refused under memory pressure, before any write.
-- Idempotent: the same loader gets MINE again, its lease renewed, nothing emptied. The position of a filling is what the loader before
-- noted by install_renew: '' at first, and opaque here.
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
--@include gate/seats
local loader, ends, grant, lease_ms = ARGV[1], ARGV[2], ARGV[3], whole(ARGV[4])
local replid = server_replid()
local head = redis.call('HMGET', head_key, 'state', 'replid', 'epoch', 'lease', 'ends', 'position')
if not is_nonce(loader) then return bad('the loader must be 32 hex digits') end
if not ends or not grant or not lease_ms or lease_ms < 1 then
  return bad('end offsets and a grant (or both empty) and a lease in ms are needed')
end
if #ARGV < 6 or #ARGV % 2 == 1 then return bad('a category and its layout are needed, for each category') end
local halls = {}
for at = 5, #ARGV, 2 do
  local layout = layout_of(ARGV[at + 1])
  if not layout or not string.match(ARGV[at], '^%d+$') or layout.span < 1 or layout.chunks ~= math.ceil(layout.seats / layout.span) then
    return bad('category ' .. ARGV[at] .. ' has no valid layout')
  end
  halls[#halls + 1] = { cat = ARGV[at], text = ARGV[at + 1], layout = layout, kept = {} }
end

-- A map of which something else removed a part is no map.
local function sound()
  for _, hall in ipairs(halls) do
    if redis.call('HGET', head_key, 'layout:' .. hall.cat) ~= hall.text then return false end
    for no = 0, hall.layout.chunks - 1 do
      if redis.call('STRLEN', chunk_key(hall.cat, no)) ~= chunk_seats(hall.layout, no) then return false end
      if redis.call('HEXISTS', program_root .. 'runs:' .. hall.cat, 'r' .. no) == 0 then return false end
    end
  end
  return true
end

local lease_end = string.format('%.0f', now_up + lease_ms)
if head[1] and head[2] == replid and sound() then
  if head[1] == 'open' then
    redis.call('SREM', filling_key, program_id)
    return { 'OPEN' }
  end
  local left = (tonumber(head[4]) or 0) - now
  if head[3] ~= loader and left > 0 then return { 'BUSY', string.format('%.0f', left) } end
  redis.call('HSET', head_key, 'epoch', loader, 'lease', lease_end)
  redis.call('SADD', filling_key, program_id)
  return { 'MINE', head[5] or '', head[6] or '' }
end
if ends == '' then
  redis.call('SREM', filling_key, program_id)
  return { 'ENDS' }
end
if redis.call('GET', claim_key) ~= grant or string.match(grant, ':(%x+)$') ~= replid then return { 'LOST' } end

-- Who keeps seats: looked up once per order.
local fates, owners, none = {}, redis.call('HGETALL', owner_key), {}
local function fate(owner)
  local known = fates[owner]
  if known then return known end
  local order, nonce = string.match(owner, '^(%d+):(%x+)$')
  known = { order = order, nonce = nonce, seats = 0 }
  local f = order and redis.call('HMGET', resv_key(order), 'nonce', 'state', 'user') or {}
  if f[1] == nonce then
    known.user = f[3]
    known.keeps = f[2] == 'held' or f[2] == 'accepted' or f[2] == 'abandoning'
  end
  fates[owner] = known
  return known
end
local kept = {}
for at = 1, #owners, 2 do
  local seat, its = tonumber(owners[at]), fate(owners[at + 1])
  for _, hall in ipairs(its.keeps and halls or none) do
    local nth = seat - hall.layout.first
    if nth >= 0 and nth < hall.layout.seats then
      local no = math.floor(nth / hall.layout.span)
      hall.kept[no] = hall.kept[no] or {}
      table.insert(hall.kept[no], nth - no * hall.layout.span + 1)
      kept[#kept + 1], kept[#kept + 2] = owners[at], owners[at + 1]
      its.seats = its.seats + 1
    end
  end
end

redis.call('DEL', head_key, claim_key)
redis.call('UNLINK', owner_key)
for at = 1, #kept, 500 do redis.call('HSET', owner_key, unpack(kept, at, math.min(at + 499, #kept))) end
for _, its in pairs(fates) do
  if its.user and its.seats > 0 then
    redis.call('HSET', user_key(its.user), its.order, its.seats)
    -- Should its entry be missing, it is looked at now.
    delay_schedule(timeouts, { its.order }, { timeout_job(its.nonce) }, { now_up })
  elseif its.user then
    redis.call('HDEL', user_key(its.user), its.order)
  end
end
for _, hall in ipairs(halls) do
  local layout, runs_key, free = hall.layout, program_root .. 'runs:' .. hall.cat, 0
  redis.call('DEL', runs_key)
  for no = 0, layout.chunks - 1 do
    local size, bytes, run = chunk_seats(layout, no), nil, layout.row_len
    local at = hall.kept[no] or {}
    if #at == 0 then
      bytes = string.rep('0', size)
    else
      table.sort(at)
      local parts, done = {}, 0
      for _, place in ipairs(at) do
        parts[#parts + 1] = string.rep('0', place - done - 1)
        parts[#parts + 1] = '1'
        done = place
      end
      parts[#parts + 1] = string.rep('0', size - done)
      bytes = table.concat(parts)
      run = longest_run(bytes, 1, size, layout.row_len, layout.row_len)
    end
    redis.call('SET', chunk_key(hall.cat, no), bytes)
    redis.call('HSET', runs_key, 'f' .. no, size - #at, 'r' .. no, run)
    free = free + size - #at
  end
  redis.call('HSET', head_key, 'free:' .. hall.cat, free, 'layout:' .. hall.cat, hall.text)
end
redis.call('HSET', head_key, 'state', 'loading', 'epoch', loader, 'replid', replid, 'ends', ends, 'lease', lease_end)
redis.call('SADD', filling_key, program_id)
return { 'MINE', ends, '' }
