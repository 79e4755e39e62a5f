#!lua flags=allow-oom
-- Adds an entry, after trimming. It never trims an entry that a group has not received or not
-- acknowledged. Runs under memory pressure: trimming frees memory, and `max` bounds the stream.
-- KEYS  1 the stream
-- ARGV  1 entries to keep, 2 max entries, then field, value, repeated
-- Gives 'ADDED', id; or 'FULL', entries, the group that holds the oldest of them: nothing was added
-- Cost  O(log n); about every hundredth call trims, at most 500 entries. Repeated, it adds a second
--       entry.
--@include stream/ids
local stream, keep, max = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
if not keep or not max or #ARGV < 4 or #ARGV % 2 ~= 0 then
  return redis.error_reply(
    'BADARG expected two bounds and field, value, repeated; nothing was changed')
end

-- The first entry that some group still needs, and that group.
local function first_needed()
  local first, holder
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = record(info)
    local id = group['last-delivered-id']
    if group.pending > 0 then id = redis.call('XPENDING', stream, group.name)[2] end
    if not first or before(id, first) then first, holder = id, group.name end
  end
  return first, holder
end

local length = redis.call('XLEN', stream)
local surplus = length - keep
if surplus >= 100 then
  local first, holder = first_needed()
  local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', math.min(surplus, 500) + 1)
  local from = oldest[#oldest][1]
  if first and before(first, from) then from = first end
  -- Trim whole blocks, which is cheap; trim exactly if the blocks are larger than the surplus.
  if redis.call('XTRIM', stream, 'MINID', '~', from) == 0 and surplus >= 200 then
    redis.call('XTRIM', stream, 'MINID', '=', from)
  end
  length = redis.call('XLEN', stream)
  if length >= max then return { 'FULL', tostring(length), holder or '' } end
end
return { 'ADDED', redis.call('XADD', stream, '*', unpack(ARGV, 3)) }
