#!lua flags=no-writes
-- The progress of a group.
-- KEYS  1 the stream
-- ARGV  1 group
-- Gives entries pending, entries not delivered yet ('' if Redis cannot compute it), age of the
--       oldest pending entry in ms ('' if there is none), last id delivered, entries after it that
--       were removed before their delivery (0 if Redis cannot compute it)
-- Cost  O(groups)
--@include stream/ids
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if redis.call('EXISTS', KEYS[1]) == 0 then return { '0', '', '', '0-0', '0' } end

-- Compares counts: entries ever added, entries read by the group, and entries that are left, all of
-- them behind the group.
local function removed(group)
  local stream = record(redis.call('XINFO', 'STREAM', KEYS[1]))
  local last = group['last-delivered-id']
  local behind = stream.length == 0 or before(last, stream['recorded-first-entry-id'])
  if not behind or not group['entries-read'] then return 0 end
  return math.max(stream['entries-added'] - group['entries-read'] - stream.length, 0)
end

for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = record(info)
  if group.name == ARGV[1] then
    local age = ''
    if group.pending > 0 then
      local oldest = redis.call('XPENDING', KEYS[1], group.name)[2]
      age = string.format('%.0f', math.max(now - tonumber(string.match(oldest, '^%d+')), 0))
    end
    return {
      tostring(group.pending),
      group.lag and tostring(group.lag) or '',
      age,
      group['last-delivered-id'],
      tostring(removed(group)),
    }
  end
end
return { '0', '', '', '0-0', '0' }
