#!lua flags=no-writes
-- Counts the entries of a queue on one shard.
-- KEYS  1 `...:delay:<queue>:due`
-- Gives now, waiting, leased (ended leases included until the next claim), parked, earliest due
--       time or lease end ('' if none)
-- Cost  O(log n)
--@include delay/clock
--@include delay/entry
local queue = delay_queue(KEYS[1])
local leased = redis.call('HLEN', queue.lease)
local first = redis.call('ZRANGE', queue.due, 0, 0, 'WITHSCORES')[2] or ''
local parked = redis.call('ZCARD', queue.base .. 'parked')
local waiting = redis.call('ZCARD', queue.due) - leased
return { string.format('%.0f', now), waiting, leased, parked, first }
