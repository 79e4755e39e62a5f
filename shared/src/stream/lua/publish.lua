#!lua flags=allow-oom
-- Adds an entry, after trimming what the stream need not keep. Never trimmed is what a group has not been given or has not
-- acknowledged. Allowed under memory pressure: trimming is what empties a full Redis, news of a change must get through one, and
-- it is `most` that bounds the stream.
-- KEYS  1 the stream
-- ARGV  1 entries to keep, 2 most entries, then field, value, repeated
-- Gives 'ADDED', id; or 'FULL', entries, the group that holds the oldest of them: nothing was added
-- Cost  O(log n); trimming looks at no more than 500 entries a call, about every hundredth call. Repeated, it adds a second entry.
--@include stream/ids
local stream, keep, most = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
if not keep or not most or #ARGV < 4 or #ARGV % 2 ~= 0 then
  return redis.error_reply('BADARG expected two bounds and field, value, repeated; nothing was changed')
end

-- The first entry that some group needs still, and that group.
local function needed()
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
  local first, holder = needed()
  local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', math.min(surplus, 500) + 1)
  local from = oldest[#oldest][1]
  if first and before(first, from) then from = first end
  -- By whole blocks, which is cheap; exactly where blocks are larger than what is to go.
  if redis.call('XTRIM', stream, 'MINID', '~', from) == 0 and surplus >= 200 then
    redis.call('XTRIM', stream, 'MINID', '=', from)
  end
  length = redis.call('XLEN', stream)
  if length >= most then return { 'FULL', tostring(length), holder or '' } end
end
return { 'ADDED', redis.call('XADD', stream, '*', unpack(ARGV, 3)) }
