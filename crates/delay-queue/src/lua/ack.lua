#!lua flags=allow-oom
-- Removes entries that are done.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  id, token, repeated; at most 500 entries
-- Gives 1 (done) or 0 (the lease is not the caller's: nothing changed) per entry
-- Cost  O(log n) per entry. Repeated, it returns 0 and changes nothing.
--@function
--@include delay/clock
--@include delay/entry
--@include delay/fence
local queue = delay_queue(KEYS[1])
local flags, held = held_groups(queue, ARGV, 2)
if not flags then return bad('expected id, token for each entry') end
if #held > 0 then
  local ids = {}
  for n, at in ipairs(held) do ids[n] = ARGV[at] end
  redis.call('ZREM', queue.due, unpack(ids))
  redis.call('HDEL', queue.job, unpack(ids))
  redis.call('HDEL', queue.lease, unpack(ids))
  if redis.call('EXISTS', queue.tries) == 1 then redis.call('HDEL', queue.tries, unpack(ids)) end
end
return flags
