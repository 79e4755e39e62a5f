#!lua flags=allow-oom
-- Sets entries aside that nobody can handle: into the dead-letter stream and acknowledged, in one step, unless another consumer holds them.
-- Allowed under memory pressure: what it adds it lets the stream trim.
-- KEYS  1 the stream
-- ARGV  1 group, 2 consumer, then id, reason, repeated
-- Gives 1 (set aside) or 0 (not this consumer's: nothing was changed) per entry
-- Cost  O(log n) per entry. Repeated, it answers 0 and changes nothing.
--@include stream/group
local stream, group, consumer, flags = KEYS[1], ARGV[1], ARGV[2], {}
for at = 3, #ARGV, 2 do
  local pending = held(stream, group, consumer, ARGV[at])
  if pending then bury(stream, group, ARGV[at], pending[4], ARGV[at + 1]) end
  flags[#flags + 1] = pending and 1 or 0
end
return flags
