#!lua flags=allow-oom
-- Restarts the idle time of entries of this consumer, so that no other consumer takes them over,
-- and sets their counts of deliveries.
-- KEYS  1 the stream
-- ARGV  1 group, 2 consumer, then id, deliveries ('': unchanged), repeated
-- Gives 1 (held) or 0 (not this consumer's: acknowledged, or taken over by another) per entry
-- Cost  O(log n) per entry. May be repeated.
--@include stream/group
local stream, group, consumer, flags = KEYS[1], ARGV[1], ARGV[2], {}
for at = 3, #ARGV, 2 do
  local pending = held(stream, group, consumer, ARGV[at])
  if pending then
    local count = ARGV[at + 1] == '' and pending[4] or ARGV[at + 1]
    -- JUSTID does not change the count of deliveries by itself.
    redis.call('XCLAIM', stream, group, consumer, 0, ARGV[at], 'RETRYCOUNT', count, 'JUSTID')
  end
  flags[#flags + 1] = pending and 1 or 0
end
return flags
