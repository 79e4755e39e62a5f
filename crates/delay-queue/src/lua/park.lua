#!lua flags=allow-oom
-- Parks entries: they are not due again unless an operator replays them. Several of one id may be
-- parked.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  id, token, reason, repeated; at most 500 entries
-- Gives per entry 1 (parked), 0 (the lease is not the caller's: nothing changed) or 2 (10,000 are
--       parked on this shard: nothing changed)
-- Cost  O(log n) per entry. Repeated, it returns 0 and changes nothing.
--@include delay/clock
--@include delay/entry
--@include delay/fence
--@include delay/parked_set
local MAX_PARKED = 10000
local queue = delay_queue(KEYS[1])
local flags, held, leases = held_groups(queue, ARGV, 3)
if not flags then return bad('expected id, token, reason for each entry') end
local left = MAX_PARKED - redis.call('ZCARD', queue.base .. 'parked')
for _, at in ipairs(held) do
  local n = (at + 2) / 3
  if left > 0 then
    local id, attempt = ARGV[at], held_attempt(leases[n])
    local member = parked_member(id, ARGV[at + 1]:sub(1, MARK))
    redis.call('ZADD', queue.base .. 'parked', now, member)
    redis.call('HSET', queue.base .. 'parked-job', member, redis.call('HGET', queue.job, id) or '')
    redis.call('HSET', queue.base .. 'parked-why', member, attempt .. ':' .. ARGV[at + 2])
    delay_cancel(queue, id)
    left = left - 1
  else
    flags[n] = 2
  end
end
return flags
