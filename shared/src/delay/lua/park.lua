#!lua flags=allow-oom
-- Puts entries aside for a person to look at: they are not due again unless replayed. The same id parked again replaces the first.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  id, token, reason, repeated; at most 500 entries
-- Gives 1 (parked) or 0 (the lease is not the caller's: nothing changed) per entry
-- Cost  O(log n) per entry. Repeated, it answers 0 and changes nothing.
--@include delay/clock
--@include delay/entry
--@include delay/held
local queue = delay_queue(KEYS[1])
local flags, held = held_groups(queue, 3)
if not flags then return bad('expected id, token, reason for each entry') end
for _, entry in ipairs(held) do
  local body = redis.call('HGET', queue.job, entry.id) or ''
  redis.call('ZADD', queue.base .. 'parked', now, entry.id)
  redis.call('HSET', queue.base .. 'parked-job', entry.id, body)
  redis.call('HSET', queue.base .. 'parked-why', entry.id, entry.attempt .. ':' .. ARGV[entry.at + 2])
  delay_cancel(queue, entry.id)
end
return flags
