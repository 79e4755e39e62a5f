#!lua flags=allow-oom
-- Makes the blocked seats of a chunk those of Postgres. A blocked seat is not sold. An order keeps
-- its seat, which is then blocked as soon as it becomes free.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 version of the program, 2 category, 3 chunk from 0, 4 the chunk's blocked seats,
--       'first-last,first-last', or '' for none
-- Gives DONE seats-changed 'seat,seat' (blocked seats that orders have) | STALE (the map is of a
--       newer version: nothing changed) | ABSENT (no header, no such chunk, or a damaged one)
-- Cost  one chunk, and about 0.1 us for each of its blocked seats.
-- Idempotent. Works while the gate is being filled.
--@include delay/clock
--@include delay/entry
--@include gate/keys
--@include gate/seats
local version, cat, no, list = whole(ARGV[1]), ARGV[2], whole(ARGV[3]), ARGV[4]
if not version or not string.match(cat or '', '^%d+$') or not no then
  return bad('a version, a category and a chunk are required')
end
if not list or not string.find(list, '^[%d,-]*$') then return bad('the seats must be ranges') end
local head = redis.call('HMGET', head_key, 'state', 'version', 'layout:' .. cat)
if not head[1] then return { 'ABSENT' } end
if version < (tonumber(head[2]) or 0) then return { 'STALE' } end
local layout = layout_of(head[3])
if not layout or no >= layout.chunks then return { 'ABSENT' } end
local size = chunk_seats(layout, no)
local bytes = redis.call('GET', chunk_key(cat, no)) or ''
if #bytes ~= size then return { 'ABSENT' } end

local before, blocked = layout.first + no * layout.span - 1, {}
for first, last in string.gmatch(list, '(%d+)-(%d+)') do
  local from, to = first - before, last - before
  if from < 1 or to > size or from > to then
    return bad('the seats ' .. first .. ' to ' .. last .. ' are none of the chunk')
  end
  for place = from, to do blocked[place] = true end
end
local map, changed, held = new_map(cat, layout, no, bytes), 0, {}
local at = string.find(bytes, '[24]')
while at do
  if not blocked[at] then
    set_seat(map, at, code_of(is_taken(seat_code(map, at)), false))
    changed = changed + 1
  end
  at = string.find(bytes, '[24]', at + 1)
end
for place in pairs(blocked) do
  local code = seat_code(map, place)
  if is_taken(code) then held[#held + 1] = before + place end
  if not is_blocked(code) then
    set_seat(map, place, code_of(is_taken(code), true))
    changed = changed + 1
  end
end
write_maps({ map })
if head[2] ~= ARGV[1] then redis.call('HSET', head_key, 'version', ARGV[1]) end
table.sort(held)
for n, seat in ipairs(held) do held[n] = digits_of(seat) end
return { 'DONE', tostring(changed), table.concat(held, ',') }
