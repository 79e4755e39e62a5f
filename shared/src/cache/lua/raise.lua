#!lua flags=allow-oom
-- Raises the floor of a program to a version and drops an older body.
-- KEYS  1 `<env>:{p<id>}:program:floor`
-- ARGV  1 version
-- Gives whether the floor rose, whether a body was dropped (1 or 0 each)
-- Cost  O(1). Repeated, or after a greater version, it changes nothing.
--@include cache/keys
local version = whole(ARGV[1])
if not version or version < 1 then return bad('a version is required') end
local rose, dropped = 0, 0
if version > floor() then
  -- No time to live: without its floor an old body could be stored again.
  redis.call('SET', floor_key, ARGV[1])
  rose = 1
end
local kept = redis.call('HGET', body_key, 'version')
if kept and (whole(kept) or 0) < floor() then dropped = redis.call('DEL', body_key) end
return { rose, dropped }
