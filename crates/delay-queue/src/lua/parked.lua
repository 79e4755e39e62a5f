#!lua flags=no-writes
-- Lists parked entries, the oldest first.
-- KEYS  1 `...:delay:<queue>:due`
-- ARGV  1 how many to skip, 2 limit (1 to 500), 3 an id, or '' for all
-- Gives id, mark, body, attempts, reason, parked at, repeated
-- Cost  O(log n + skipped + entries); with an id O(parked)
--@include delay/clock
--@include delay/entry
--@include delay/parked_set
local skip, limit, id = whole(ARGV[1]), whole(ARGV[2]), ARGV[3]
if not skip or not limit or limit < 1 or limit > 500 then
  return bad('expected how many to skip, and a limit of 1 to 500')
end
local queue = delay_queue(KEYS[1])
if id and id ~= '' then
  local of_id, page = parked_of(queue, id), {}
  for n = skip + 1, math.min(skip + limit, #of_id) do page[#page + 1] = of_id[n] end
  return parked_words(queue, page, {})
end
return parked_words(queue, redis.call('ZRANGE', queue.base .. 'parked', skip, skip + limit - 1), {})
