#!lua flags=allow-oom
-- Creates a group that begins at the oldest entry, and the stream if it is missing.
-- KEYS  1 the stream
-- ARGV  1 group
-- Gives 1 (created) or 0 (it exists)
-- Cost  O(1). Repeated, it changes nothing.
local created = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if not created.err then return 1 end
if string.find(created.err, 'BUSYGROUP', 1, true) then return 0 end
return created
