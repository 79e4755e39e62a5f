#!lua flags=allow-oom
-- Schedules a parked entry again, with its attempts reset; or deletes it.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  1 id, 2 mark ('' for none) or '*' (the only entry of the id), 3 due ('+ms' from now or
--       '@ms') or 'drop'
-- Gives 'DONE', 'NOTPARKED', 'SEVERAL' (entries of that id: give a mark), or 'EXISTS' (an entry of
--       that id waits already); only DONE changed anything
-- Cost  O(log n); with '*' O(parked). Repeated, it returns NOTPARKED and changes nothing.
--@include delay/clock
--@include delay/entry
--@include delay/parked_set
local id, mark, drop = ARGV[1], ARGV[2], ARGV[3] == 'drop'
local due = due_at(ARGV[3])
if not id or not mark or not (due or drop) then
  return bad('expected id, mark and due (+ms or @ms) or drop')
end
local queue = delay_queue(KEYS[1])
local found = parked_of(queue, id, mark ~= '*' and mark or nil)
if #found == 0 then return { 'NOTPARKED' } end
if #found > 1 then return { 'SEVERAL' } end
if not drop then
  local body = redis.call('HGET', queue.base .. 'parked-job', found[1]) or ''
  if delay_schedule(queue, { id }, { body }, { due })[1] == 0 then return { 'EXISTS' } end
end
parked_forget(queue, found[1])
return { 'DONE' }
