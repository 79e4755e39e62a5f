#!lua flags=no-writes
-- Reads one entry.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  1 id
-- Gives nothing if there is none; else body, due (or end of the lease), attempts begun, 1 if leased
-- Cost  O(1)
--@include delay/clock
--@include delay/entry
if not ARGV[1] then return bad('expected an id') end
local queue = delay_queue(KEYS[1])
local due = redis.call('ZSCORE', queue.due, ARGV[1])
if not due then return {} end
local lease = redis.call('HGET', queue.lease, ARGV[1])
local attempts = lease and string.match(lease, ':(%d+):')
attempts = attempts or redis.call('HGET', queue.tries, ARGV[1]) or '0'
return { redis.call('HGET', queue.job, ARGV[1]) or '', due, attempts, lease and 1 or 0 }
