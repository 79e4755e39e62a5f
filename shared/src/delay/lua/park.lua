#!lua flags=allow-oom
-- Puts entries aside for an operator to look at: they are not due again unless replayed. Each is kept, also several of one id.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  id, token, reason, repeated; at most 500 entries
-- Gives 1 (parked), 0 (the lease is not the caller's: nothing changed) or 2 (10,000 are aside on this shard: nothing changed) per entry
-- Cost  O(log n) per entry. Repeated, it answers 0 and changes nothing.
--@include delay/clock
--@include delay/entry
--@include delay/held
--@include delay/aside
local queue, MOST = delay_queue(KEYS[1]), 10000
local flags, held, leases = held_groups(queue, 3)
if not flags then return bad('expected id, token, reason for each entry') end
local room = MOST - redis.call('ZCARD', queue.base .. 'parked')
for _, at in ipairs(held) do
  local n = (at + 2) / 3
  if room > 0 then
    local id, attempt = ARGV[at], held_attempt(leases[n])
    local member = parked_member(id, ARGV[at + 1]:sub(1, MARK))
    redis.call('ZADD', queue.base .. 'parked', now, member)
    redis.call('HSET', queue.base .. 'parked-job', member, redis.call('HGET', queue.job, id) or '')
    redis.call('HSET', queue.base .. 'parked-why', member, attempt .. ':' .. ARGV[at + 2])
    delay_cancel(queue, id)
    room = room - 1
  else
    flags[n] = 2
  end
end
return flags
