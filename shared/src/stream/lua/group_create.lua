#!lua flags=allow-oom
-- Makes a group that begins with the oldest entry, and its stream where there is none.
-- KEYS  1 the stream
-- ARGV  1 group
-- Gives 1 (made) or 0 (it exists)
-- Cost  O(1). Repeated, it changes nothing.
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if not made.err then return 1 end
if string.find(made.err, 'BUSYGROUP', 1, true) then return 0 end
return made
