#!lua flags=allow-oom
-- Returns entries: they are due again after a pause and keep their attempts.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  id, token, pause in ms, repeated; at most 500 entries
-- Gives 1 (returned) or 0 (the lease is not the caller's: nothing changed) per entry
-- Cost  O(log n) per entry. Repeated, it returns 0 and changes nothing.
--@include delay/clock
--@include delay/entry
--@include delay/fence
local queue = delay_queue(KEYS[1])
local flags, held, leases = held_groups(queue, ARGV, 3)
if not flags then return bad('expected id, token, pause for each entry') end
for at = 3, #ARGV, 3 do
  if not whole(ARGV[at]) then return bad('the pause must be a number of ms') end
end
local changed = {}
for _, at in ipairs(held) do
  local id, due = ARGV[at], now_up + whole(ARGV[at + 2])
  redis.call('ZADD', queue.due, 'XX', due, id)
  redis.call('HDEL', queue.lease, id)
  redis.call('HSET', queue.tries, id, held_attempt(leases[(at + 2) / 3]))
  changed[id] = due
end
delay_wake(queue, changed)
return flags
