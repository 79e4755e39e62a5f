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
local flags, held, leases = held_groups(queue, 3)
if not flags then return bad('expected id, token, reason for each entry') end
for _, at in ipairs(held) do
  local id, attempt = ARGV[at], held_attempt(leases[(at + 2) / 3])
  local body = redis.call('HGET', queue.job, id) or ''
  redis.call('ZADD', queue.base .. 'parked', now, id)
  redis.call('HSET', queue.base .. 'parked-job', id, body)
  redis.call('HSET', queue.base .. 'parked-why', id, attempt .. ':' .. ARGV[at + 2])
  delay_cancel(queue, id)
end
return flags
