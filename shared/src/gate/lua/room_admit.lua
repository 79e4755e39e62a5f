#!lua flags=allow-oom
-- Ends a round of admission: admits the first of those who wait.
-- KEYS  1 `<env>:{sNN}:program:<id>:room`
-- ARGV  1 generation and 2 credit that the round was decided by, 3 number of buyers, 4 the new
--       credit, 5 read (may be empty), 6 moved, 7 paused (1, or empty), 8 ms of an admission, 9 ms
--       after which an unused room is gone
-- Gives number of admitted buyers, number of those who wait | STALE (another round has been ended
--       meanwhile, or the room is a new one; nothing was changed)
-- Cost  O(log n) for each admitted buyer, and for each of at most 1,500 whose place has ended and
--       who are passed over. Repeated, it answers STALE, unless it admits none.
--@include delay/clock
--@include gate/room
local count, credit, moved = whole(ARGV[3]), whole(ARGV[4]), whole(ARGV[6])
local admission, unused = whole(ARGV[8]), whole(ARGV[9])
if not count or not credit or not moved or not admission or not unused or unused < 1 then
  return bad('counts and times in ms are required')
end
local found = redis.call('HMGET', KEYS[1], 'generation', 'credit')
if found[1] ~= ARGV[1] or found[2] ~= ARGV[2] then return { 'STALE' } end
redis.call('HSET', KEYS[1], 'credit', ARGV[4], 'read', ARGV[5], 'moved', ARGV[6], 'paused', ARGV[7])
local admitted, passed = 0, 0
-- In parts, each a few commands: a command for each buyer would take several times as long.
while admitted < count and passed < 1000 do
  local first = redis.call('ZPOPMIN', waiting_key, math.min(count - admitted, 500))
  if #first == 0 then break end
  local users = {}
  for n = 1, #first, 2 do users[#users + 1] = first[n] end
  local ends = redis.call('ZMSCORE', ends_key, unpack(users))
  local places, admissions, gone = {}, {}, {}
  for n, user in ipairs(users) do
    if ends[n] and tonumber(ends[n]) > now then
      places[#places + 1], places[#places + 2] = first[2 * n], user
      admissions[#admissions + 1], admissions[#admissions + 2] = now_up + admission, user
    else
      gone[#gone + 1] = user
    end
  end
  if #gone > 0 then redis.call('ZREM', ends_key, unpack(gone)) end
  if #places > 0 then
    redis.call('ZADD', admitted_key, unpack(places))
    redis.call('ZADD', ends_key, unpack(admissions))
  end
  admitted, passed = admitted + #places / 2, passed + #gone
end
keep(unused)
return { admitted, redis.call('ZCARD', waiting_key) }
