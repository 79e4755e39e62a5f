#!lua flags=allow-oom
-- Restarts the idle time of entries of this consumer, so that no other consumer takes them over,
-- and sets their counts of deliveries.
-- KEYS  1 the stream
-- ARGV  1 group, 2 consumer, then id, deliveries ('': unchanged), repeated
-- Gives per entry 1 (held), 0 (not this consumer's: acknowledged, or taken over by another) or
--       2 (it was held, and is deleted from the stream: the group has dropped it now)
-- Cost  O(log n) per entry. May be repeated.
--@include stream/group
local stream, group, consumer, flags = KEYS[1], ARGV[1], ARGV[2], {}
for at = 3, #ARGV, 2 do
  local pending, flag = held(stream, group, consumer, ARGV[at]), 0
  if pending then
    local count = ARGV[at + 1] == '' and pending[4] or ARGV[at + 1]
    -- JUSTID does not change the count of deliveries by itself.
    local options = { 'RETRYCOUNT', count, 'JUSTID' }
    local claimed = redis.call('XCLAIM', stream, group, consumer, 0, ARGV[at], unpack(options))
    -- XCLAIM acknowledges an entry that is not in the stream, and leaves it out of its reply.
    flag = claimed[1] and 1 or 2
  end
  flags[#flags + 1] = flag
end
return flags
