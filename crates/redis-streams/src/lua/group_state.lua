#!lua flags=no-writes
-- The progress of a group.
-- KEYS  1 the stream
-- ARGV  1 group
-- Gives entries pending, entries not delivered yet ('' if Redis cannot compute it), age of the
--       oldest pending entry in ms ('' if there is none)
-- Cost  O(groups)
--@include stream/ids
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local group = record(info)
    if group.name == ARGV[1] then
      local age = ''
      if group.pending > 0 then
        local oldest = redis.call('XPENDING', KEYS[1], group.name)[2]
        age = string.format('%.0f', math.max(now - tonumber(string.match(oldest, '^%d+')), 0))
      end
      return { tostring(group.pending), group.lag and tostring(group.lag) or '', age }
    end
  end
end
return { '0', '', '' }
