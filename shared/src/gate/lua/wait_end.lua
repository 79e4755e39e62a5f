#!lua flags=allow-oom
-- Returns a place of wait_begin, and reports whether orders are being stored.
-- KEYS  1 `<env>:{s00}:waiting`
-- ARGV  1 the word, 2 for how many ms no request waits because orders are not stored; 0: they are
-- Gives OK
-- Cost  O(log n) of the places
-- Idempotent.
--@include delay/clock
local word, lagging_ms = ARGV[1], whole(ARGV[2])
if not word or word == '!lagging' or not lagging_ms then
  return bad('a word and a time are required')
end
redis.call('ZREM', KEYS[1], word)
if lagging_ms > 0 then
  redis.call('ZADD', KEYS[1], now_up + lagging_ms, '!lagging')
  redis.call('PEXPIRE', KEYS[1], math.max(lagging_ms, redis.call('PTTL', KEYS[1])))
end
return { 'OK' }
