#!lua
-- Adds the seats of a newer version of a program to its map, open or closed: rows behind the last
-- one of a category, and new categories. They are free. Nothing shrinks.
-- KEYS  1 `<env>:{sNN}:program:<id>:head`
-- ARGV  1 version of the program, then category, first:rows:row_len:chunk_rows:chunks, repeated
-- Gives DONE seats-added | STALE (the map is of a newer version: nothing changed)
--       | ABSENT (no header, or a damaged map: nothing changed) | DIFFERS category (the map has
--       other seats than the program: the header is marked, and the next request fills it again)
-- Cost  one command for each category. With seats to add, each chunk that gets some, too: the
--       largest program is added in about 1 ms. Refused under memory pressure, before any write.
-- Idempotent.
--@include delay/clock
--@include delay/entry
--@include gate/keys
--@include gate/seats
--@include gate/layouts
local version = whole(ARGV[1])
if not version then return bad('the version must be a number') end
local categories, problem = layouts_from(2)
if not categories then return bad(problem) end
local head = redis.call('HMGET', head_key, 'state', 'version')
if not head[1] then return { 'ABSENT' } end
if version < (tonumber(head[2]) or 0) then return { 'STALE' } end

local larger = {}
for _, category in ipairs(categories) do
  local cat, layout = category.cat, category.layout
  local installed = layout_of(redis.call('HGET', head_key, 'layout:' .. cat))
  if not installed then
    larger[#larger + 1] = category
  elseif not extends(installed, layout) then
    if not extends(layout, installed) then
      -- No server has this replication id: the next request fills the program again.
      redis.call('HSET', head_key, 'replid', 'damaged')
      return { 'DIFFERS', cat }
    end
    if not is_whole(cat, installed) then return { 'ABSENT' } end
    category.installed = installed
    larger[#larger + 1] = category
  end
end

-- Nothing above this line writes, nothing below it can fail.
local added = 0
for _, category in ipairs(larger) do
  local cat, layout, installed = category.cat, category.layout, category.installed
  local from = installed and installed.chunks - 1 or 0
  local letter = run_letter(layout.row_len)
  for no = from, layout.chunks - 1 do
    local has = installed and math.max(chunk_seats(installed, no), 0) or 0
    local more = chunk_seats(layout, no) - has
    if has == 0 then
      redis.call('SET', chunk_key(cat, no), string.rep('0', more))
    elseif more > 0 then
      redis.call('APPEND', chunk_key(cat, no), string.rep('0', more))
    end
    if more > 0 then redis.call('SETRANGE', longest_key(cat), digits_of(no), letter) end
    added = added + more
  end
  redis.call('HSET', head_key, 'layout:' .. cat, layout.text)
  if installed then
    local more = layout.seats - installed.seats
    redis.call('HINCRBY', head_key, 'free:' .. cat, digits_of(more))
    note_freed(cat)
  else
    redis.call(
      'HSET', head_key, 'free:' .. cat, digits_of(layout.seats), 'freed:' .. cat, first_freed()
    )
  end
end
redis.call('HSET', head_key, 'version', digits_of(version))
return { 'DONE', tostring(added) }
