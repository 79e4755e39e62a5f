#!lua
-- Gives a request a place among those that wait for their order to be stored, while there is one.
-- KEYS  1 `<env>:{s00}:waiting`: who waits (a random word) -> when its place ends, ms; and `!lagging` -> until when no request waits, ms
-- ARGV  1 who, 2 for how many ms at most, 3 places in all
-- Gives YES | FULL | LAGGING (orders are not being stored)
-- Cost  O(log n) of the places
-- Idempotent: repeated, it renews the place. A place whose holder died ends by its time.
--@include delay/clock
local who, time_ms, places = ARGV[1], whole(ARGV[2]), whole(ARGV[3])
if not who or who == '' or who == '!lagging' or not time_ms or not places then return bad('who, a time and the number of places are needed') end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZSCORE', KEYS[1], '!lagging') then return { 'LAGGING' } end
if not redis.call('ZSCORE', KEYS[1], who) and redis.call('ZCARD', KEYS[1]) >= places then return { 'FULL' } end
redis.call('ZADD', KEYS[1], now_up + time_ms, who)
redis.call('PEXPIRE', KEYS[1], math.max(time_ms, redis.call('PTTL', KEYS[1])))
return { 'YES' }
