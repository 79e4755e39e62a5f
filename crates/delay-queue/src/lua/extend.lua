#!lua flags=allow-oom
-- Moves the ends of leases to `lease` from now.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  id, token, lease in ms, repeated; at most 500 entries
-- Gives 1 (extended) or 0 (the lease is not the caller's: nothing changed) per entry
-- Cost  O(log n) per entry. May be repeated.
--@include delay/clock
--@include delay/entry
--@include delay/fence
local queue = delay_queue(KEYS[1])
local flags, held = held_groups(queue, ARGV, 3)
if not flags then return bad('expected id, token, lease for each entry') end
for at = 3, #ARGV, 3 do
  if not whole(ARGV[at]) then return bad('the lease must be a number of ms') end
end
-- The new end may be earlier than the old one.
local changed = {}
for _, at in ipairs(held) do
  local ends = now_up + whole(ARGV[at + 2])
  redis.call('ZADD', queue.due, 'XX', ends, ARGV[at])
  changed[ARGV[at]] = ends
end
delay_wake(queue, changed)
return flags
