#!lua flags=allow-oom
-- Looks at a place in the waiting room of a program, and keeps it from lapsing.
-- KEYS  1 `<env>:{sNN}:program:<id>:room`
-- ARGV  1 user, 2 and 3 the ticket: generation and number, 4 ms after which the place lapses if its
--       buyer does not look again, 5 ms after which an unused room is gone, 6 whether this caller
--       may run a round (1 or 0)
-- Gives WAITING ... | ADMITTED ... as room_join | NONE (the user has no such place)
-- Cost  O(log n) of the places, and of each of at most 100 that have ended. May be repeated.
--@include delay/clock
--@include gate/room
local user, generation, number = ARGV[1], ARGV[2], ARGV[3]
local patience, unused = whole(ARGV[4]), whole(ARGV[5])
if not user or not generation or not number or not patience or not unused or unused < 1 then
  return bad('a user, a ticket and times in ms are required')
end
if redis.call('HGET', KEYS[1], 'generation') ~= generation then return { 'NONE' } end
forget_ended()
local state, found, ends = find(user)
if not state or found ~= number then return { 'NONE' } end
if state == 'admitted' then return admitted_reply(number, ends) end
local reply = waiting_reply(user, number, patience, ARGV[6])
keep(unused)
return reply
