#!lua flags=allow-oom
-- Changes the due time of an entry, revokes its lease (a later ack returns 0) and resets its
-- attempts.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  1 id, 2 due ('+ms' from now or '@ms')
-- Gives 1, or 0 if there is no such entry
-- Cost  O(log n). May be repeated.
--@include delay/clock
--@include delay/entry
local id, due = ARGV[1], due_at(ARGV[2])
if not id or not due then return bad('expected id and due (+ms or @ms)') end
return { delay_reschedule(delay_queue(KEYS[1]), id, due) and 1 or 0 }
