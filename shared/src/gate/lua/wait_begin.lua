#!lua
-- Takes a place for a request that waits for its order to be stored, if one is free.
-- KEYS  1 `<env>:{s00}:waiting`: a random word for each request -> end of its place, ms; `!lagging`
--       -> until when no request waits, ms
-- ARGV  1 the word, 2 maximum time in ms, 3 places in all
-- Gives YES | FULL | LAGGING (orders are not being stored)
-- Cost  O(log n) of the places
-- Idempotent: repeated, it renews the place. The place of a dead process ends at its time.
--@include delay/clock
local word, time_ms, places = ARGV[1], whole(ARGV[2]), whole(ARGV[3])
if not word or word == '' or word == '!lagging' or not time_ms or not places then
  return bad('a word, a time and the number of places are required')
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZSCORE', KEYS[1], '!lagging') then return { 'LAGGING' } end
local has_place = redis.call('ZSCORE', KEYS[1], word)
if not has_place and redis.call('ZCARD', KEYS[1]) >= places then return { 'FULL' } end
redis.call('ZADD', KEYS[1], now_up + time_ms, word)
redis.call('PEXPIRE', KEYS[1], math.max(time_ms, redis.call('PTTL', KEYS[1])))
return { 'YES' }
