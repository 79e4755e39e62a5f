#!lua flags=allow-oom
-- Restarts the idle time of entries of this consumer, so that no other consumer takes them over.
-- KEYS  1 the stream
-- ARGV  1 group, 2 consumer, then ids
-- Gives 1 (held) or 0 (not this consumer's: acknowledged, or taken over by another) per id
-- Cost  O(log n) per id. May be repeated.
--@include stream/group
local stream, group, consumer, flags = KEYS[1], ARGV[1], ARGV[2], {}
for at = 3, #ARGV do
  local pending = held(stream, group, consumer, ARGV[at])
  -- JUSTID does not change the count of deliveries.
  if pending then redis.call('XCLAIM', stream, group, consumer, 0, ARGV[at], 'JUSTID') end
  flags[#flags + 1] = pending and 1 or 0
end
return flags
