#!lua flags=allow-oom
-- Makes a parked entry a waiting one again, its attempts forgotten.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  1 id, 2 due ('+ms' from now or '@ms')
-- Gives 'DONE', 'NOTPARKED', or 'EXISTS' (an entry of that id waits already; the parked one stays)
-- Cost  O(log n). Repeated, it answers NOTPARKED and changes nothing.
--@include delay/clock
--@include delay/entry
local id, due = ARGV[1], due_at(ARGV[2])
if not id or not due then return bad('expected id and due (+ms or @ms)') end
local queue = delay_queue(KEYS[1])
local parked = queue.base .. 'parked'
if not redis.call('ZSCORE', parked, id) then return { 'NOTPARKED' } end
local body = redis.call('HGET', parked .. '-job', id) or ''
if delay_schedule(queue, { id }, { body }, { due })[1] == 0 then return { 'EXISTS' } end
redis.call('ZREM', parked, id)
redis.call('HDEL', parked .. '-job', id)
redis.call('HDEL', parked .. '-why', id)
return { 'DONE' }
