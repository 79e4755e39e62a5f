#!lua flags=allow-oom
-- Gives a place of wait_begin back, and says whether orders are being stored.
-- KEYS  1 `<env>:{s00}:waiting`
-- ARGV  1 who, 2 for how many ms no request waits, since orders are not being stored; 0: they are
-- Gives OK
-- Cost  O(log n) of the places
-- Idempotent.
--@include delay/clock
local who, lagging_ms = ARGV[1], whole(ARGV[2])
if not who or who == '!lagging' or not lagging_ms then return bad('who and a time are needed') end
redis.call('ZREM', KEYS[1], who)
if lagging_ms > 0 then
  redis.call('ZADD', KEYS[1], now_up + lagging_ms, '!lagging')
  redis.call('PEXPIRE', KEYS[1], math.max(lagging_ms, redis.call('PTTL', KEYS[1])))
end
return { 'OK' }
