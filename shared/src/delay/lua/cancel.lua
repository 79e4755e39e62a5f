#!lua flags=allow-oom
-- Removes an entry, waiting or leased: a late ack is refused. A parked one stays.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  1 id
-- Gives 1, or 0 if there was no such entry
-- Cost  O(log n). Repeated, it answers 0.
--@include delay/clock
--@include delay/entry
if not ARGV[1] then return bad('expected an id') end
return { delay_cancel(delay_queue(KEYS[1]), ARGV[1]) and 1 or 0 }
