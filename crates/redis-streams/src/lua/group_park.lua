#!lua flags=allow-oom
-- Parks entries that cannot be handled: moves them to the dead-letter stream and acknowledges them,
-- unless another consumer holds them. Runs under memory pressure: the stream can be trimmed then.
-- KEYS  1 the stream
-- ARGV  1 group, 2 consumer, then id, reason, repeated
-- Gives 1 (parked) or 0 (not this consumer's: nothing was changed) per entry
-- Cost  O(log n) per entry. Repeated, it returns 0 and changes nothing.
--@include stream/group
local stream, group, consumer, flags = KEYS[1], ARGV[1], ARGV[2], {}
for at = 3, #ARGV, 2 do
  local pending = held(stream, group, consumer, ARGV[at])
  if pending then park(stream, group, ARGV[at], pending[4], ARGV[at + 1]) end
  flags[#flags + 1] = pending and 1 or 0
end
return flags
