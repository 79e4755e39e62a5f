#!lua
-- Begins to fill the closed gate of a program, or resumes a filling whose loader's lease has ended.
-- Filling keeps the seats of reservations that Postgres may not have yet (held, accepted,
-- abandoning) and removes all others: install_merge adds those of Postgres, block the blocked ones.
-- The new map has every seat of the old one: the caller may have an earlier version of the program.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 loader: 32 hex digits, 2 the positions of barriers in Kafka or '', 3 the grant of
--       install_claim before they were appended, or '', 4 lease ms, then category,
--       first:rows:row_len:chunk_rows:chunks, repeated
-- Gives MINE ends position | BUSY ms-left | OPEN (nothing to do) | ENDS (filling starts from
--       nothing and requires barriers) | LOST (the gate does not hold this grant: the barriers may
--       be older than the loss; nothing changed)
-- Cost  the whole program in one step: about 1.5 us for each owned seat, little for the others.
--       Once per loss of Redis. Refused under memory pressure, before any write. Idempotent: the
--       same loader gets MINE again with a renewed lease, and nothing is removed. The position is
--       the text of the last install_renew, '' at first.
--@include delay/clock
--@include delay/entry
--@include link/server
--@include gate/keys
--@include gate/reservation
--@include gate/seats
--@include gate/layouts
local loader, ends, grant, lease_ms = ARGV[1], ARGV[2], ARGV[3], whole(ARGV[4])
local replid = server_replid()
local head = redis.call('HMGET', head_key, 'state', 'replid', 'epoch', 'lease', 'ends', 'position')
if not is_nonce(loader) then return bad('the loader must be 32 hex digits') end
if not ends or not grant or not lease_ms or lease_ms < 1 then
  return bad('end offsets and a grant (or both empty) and a lease in ms are required')
end
local categories, problem = layouts_from(5)
if not categories then return bad(problem) end

-- The installed layouts by category. The caller may have an earlier version of the program, with
-- fewer seats: the map keeps the seats that it has.
local installed, given = {}, {}
for _, category in ipairs(categories) do given[category.cat] = category end
local fields = redis.call('HGETALL', head_key)
for at = 1, #fields, 2 do
  local cat = string.match(fields[at], '^layout:(%d+)$')
  local layout = cat and layout_of(fields[at + 1])
  if layout then
    installed[cat] = layout
    if not given[cat] then
      categories[#categories + 1] = { cat = cat, layout = layout }
    elseif extends(layout, given[cat].layout) then
      given[cat].layout = layout
    end
  end
end

-- Whether the installed map is complete. install_grow adds what it lacks of a newer version.
local function is_complete()
  if not next(installed) then return false end
  for cat, layout in pairs(installed) do
    local its = given[cat] and given[cat].layout or layout
    if not extends(its, layout) or not is_whole(cat, layout) then return false end
  end
  return true
end

local lease_end = string.format('%.0f', now_up + lease_ms)
if head[1] and head[2] == replid and is_complete() then
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
if redis.call('GET', claim_key) ~= grant or string.match(grant, ':(%x+)$') ~= replid then
  return { 'LOST' }
end

-- Which orders keep their seats, read once for each order.
for _, category in ipairs(categories) do category.kept = {} end
local reservations, owners, none = {}, redis.call('HGETALL', owner_key), {}
local function reservation_of(owner)
  local known = reservations[owner]
  if known then return known end
  local order, nonce = string.match(owner, '^(%d+):(%x+)$')
  known = { order = order, nonce = nonce, seats = 0 }
  local r = order and read_reservation(resv_key(order))
  if r and r.nonce == nonce then
    known.user = parse_rest(r).user
    known.keeps = r.state == 'held' or r.state == 'accepted' or r.state == 'abandoning'
  end
  reservations[owner] = known
  return known
end
local kept = {}
for at = 1, #owners, 2 do
  local seat, its = tonumber(owners[at]), reservation_of(owners[at + 1])
  for _, category in ipairs(its.keeps and categories or none) do
    local nth = seat - category.layout.first
    if nth >= 0 and nth < category.layout.seats then
      local no = math.floor(nth / category.layout.span)
      category.kept[no] = category.kept[no] or {}
      table.insert(category.kept[no], nth - no * category.layout.span + 1)
      kept[#kept + 1], kept[#kept + 2] = owners[at], owners[at + 1]
      its.seats = its.seats + 1
    end
  end
end

redis.call('DEL', head_key, claim_key)
redis.call('UNLINK', owner_key)
for at = 1, #kept, 500 do
  redis.call('HSET', owner_key, unpack(kept, at, math.min(at + 499, #kept)))
end
for _, its in pairs(reservations) do
  if its.user and its.seats > 0 then
    redis.call('HSET', user_key(its.user), its.order, its.seats)
    -- A missing timeout entry is added, due now.
    delay_schedule(timeouts, { its.order }, { timeout_job(its.nonce) }, { now_up })
  elseif its.user then
    redis.call('HDEL', user_key(its.user), its.order)
  end
end
for _, category in ipairs(categories) do
  local layout, letters, free = category.layout, {}, 0
  -- The counts of an earlier version.
  redis.call('DEL', program_root .. 'runs:' .. category.cat)
  for no = 0, layout.chunks - 1 do
    local size, bytes, run = chunk_seats(layout, no), nil, layout.row_len
    local at = category.kept[no] or {}
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
      run = longest_run(bytes, layout.row_len)
    end
    redis.call('SET', chunk_key(category.cat, no), bytes)
    letters[no + 1] = run_letter(run)
    free = free + size - #at
  end
  redis.call('SET', longest_key(category.cat), table.concat(letters))
  redis.call(
    'HSET', head_key, 'free:' .. category.cat, free, 'freed:' .. category.cat, first_freed(),
    'layout:' .. category.cat, layout.text
  )
end
local loading = { 'epoch', loader, 'replid', replid, 'ends', ends, 'lease', lease_end }
redis.call('HSET', head_key, 'state', 'loading', unpack(loading))
redis.call('SADD', filling_key, program_id)
return { 'MINE', ends, '' }
