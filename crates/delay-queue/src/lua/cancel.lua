#!lua flags=allow-oom
-- Removes an entry, waiting or leased; a parked one stays. A later ack returns 0.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  1 id
-- Gives 1, or 0 if there was no such entry
-- Cost  O(log n). Repeated, it returns 0.
--@include delay/clock
--@include delay/entry
if not ARGV[1] then return bad('expected an id') end
return { delay_cancel(delay_queue(KEYS[1]), ARGV[1]) and 1 or 0 }
