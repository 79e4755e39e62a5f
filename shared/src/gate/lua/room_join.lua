#!lua
-- Takes a place in the waiting room of a program, behind all others. A buyer who has one keeps it.
-- KEYS  1 `<env>:{sNN}:program:<id>:room`
-- ARGV  1 user, 2 a random word: the generation if the room is new, 3 ms after which a place lapses
--       if its buyer does not look, 4 places at most, 5 ms after which an unused room is gone,
--       6 ms of the credit of a new room, 7 whether this caller may run a round (1 or 0)
-- Gives WAITING generation number position waiting paused round now credit read moved
--       (round: 1 grants a round to this caller) | ADMITTED generation number ms
--       | FULL
-- Cost  O(log n) of the places, and of each of at most 100 that have ended. Refused under memory
--       pressure, before any write. Repeated, it returns the same place.
--@include delay/clock
--@include gate/room
local user, generation, patience = ARGV[1], ARGV[2], whole(ARGV[3])
local most, unused, credit = whole(ARGV[4]), whole(ARGV[5]), whole(ARGV[6])
if not user or user == '' or not string.find(generation or '', '^%x+$') then
  return bad('a user and a generation are required')
end
if not patience or not most or not unused or unused < 1 or not credit then
  return bad('times in ms and the number of places are required')
end
if redis.call('HEXISTS', KEYS[1], 'generation') == 0 then
  redis.call('DEL', KEYS[1], waiting_key, admitted_key, ends_key)
  redis.call('HSET', KEYS[1], 'generation', generation, 'credit', text_of(now - credit), 'moved',
    text_of(now))
end
forget_ended()
local state, number, ends = find(user)
if not state then
  if redis.call('ZCARD', waiting_key) >= most then return { 'FULL' } end
  number = text_of(redis.call('HINCRBY', KEYS[1], 'next', 1))
  redis.call('ZADD', waiting_key, number, user)
end
if state == 'admitted' then return admitted_reply(number, ends) end
local reply = waiting_reply(user, number, patience, ARGV[7])
keep(unused)
return reply
